package imaptest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"
)

func (s *session) AuthenticateMechanisms() []string { return s.server.config.Mechanisms }

// Authenticate returns what leads the exchange of a mechanism. The command is counted when the credentials are there.
func (s *session) Authenticate(mechanism string) (sasl.Server, error) {
	if !slices.Contains(s.server.config.Mechanisms, mechanism) {
		return nil, refuse("", "mechanism not supported")
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(identity, user, password string) error {
			return s.do("AUTHENTICATE", "", func() error {
				if identity != "" && identity != user {
					return refuse(imap.ResponseCodeAuthorizationFailed, "may not act for another user")
				}
				return s.signIn(user, password)
			})
		}), nil
	case "LOGIN":
		return &loginServer{session: s}, nil
	case "CRAM-MD5":
		return &cramServer{session: s}, nil
	}
	return nil, refuse("", "mechanism not supported")
}

// loginServer asks for user and password, one after the other, as all servers do that have LOGIN. It has no RFC.
type loginServer struct {
	session *session
	asked   bool
	user    *string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case !l.asked && response == nil:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		l.asked = true
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.session.do("AUTHENTICATE", "", func() error { return l.session.signIn(*l.user, string(response)) })
}

// cramServer is CRAM-MD5 (RFC 2195).
type cramServer struct {
	session   *session
	challenge string
}

func (c *cramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if c.challenge == "" {
		c.challenge = "<" + rand.Text() + "@imaptest.invalid>"
		return []byte(c.challenge), false, nil
	}
	return nil, true, c.session.do("AUTHENTICATE", "", func() error {
		user, digest, _ := strings.Cut(string(response), " ")
		account := c.session.server.account(user)
		if account == nil {
			return imapserver.ErrAuthFailed
		}
		password := account.Password()
		mac := hmac.New(md5.New, []byte(password))
		mac.Write([]byte(c.challenge))
		if !hmac.Equal([]byte(digest), []byte(hex.EncodeToString(mac.Sum(nil)))) {
			return imapserver.ErrAuthFailed
		}
		return c.session.signIn(user, password)
	})
}
