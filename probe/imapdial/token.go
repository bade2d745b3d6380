package imapdial

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// xoauth2 is Google's forerunner of OAUTHBEARER; Microsoft has only this one. It has no RFC.
const xoauth2 = "XOAUTH2"

// A tokenClient signs in with an OAuth 2.0 access token: everything is in its first message, and a challenge is the server's objection.
type tokenClient struct {
	mechanism string
	first     []byte
	end       []byte // answers the objection, so that the server comes to its NO
	objection *TokenError
}

// newToken returns a client for XOAUTH2 or OAUTHBEARER. The mailbox is that of the authorization identity, where there is one.
func newToken(mechanism string, acct Account, s secret.Secret) (*tokenClient, error) {
	user, token := acct.User, string(s.Reveal())
	if acct.AuthzID != "" {
		user = acct.AuthzID
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return nil, errors.New("an OAuth token is one line of printable ASCII (RFC 6750 section 2.1)")
	}
	if strings.ContainsAny(user, "\x00\x01\r\n") {
		return nil, errors.New("the user name contains a control character")
	}
	if mechanism == xoauth2 {
		return &tokenClient{mechanism: mechanism, first: fmt.Appendf(nil, "user=%s\x01auth=Bearer %s\x01\x01", user, token)}, nil
	}
	// RFC 5801 section 4: a comma and an equals sign are escaped in the GS2 header.
	escaped := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user)
	client := sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: escaped, Token: token, Host: acct.Endpoint.Host, Port: int(acct.Endpoint.EffectivePort())})
	_, first, err := client.Start()
	return &tokenClient{mechanism: mechanism, first: first, end: []byte{1}}, err // RFC 7628 section 3.2.3
}

func (c *tokenClient) Start() (string, []byte, error) { return c.mechanism, c.first, nil }

// Next reads the server's objection. What cannot be read is one too; the NO that follows says the rest.
func (c *tokenClient) Next(challenge []byte) ([]byte, error) {
	if c.objection != nil {
		return nil, errors.New("the server goes on after it objected to the token")
	}
	c.objection = new(TokenError)
	var said struct{ Status, Schemes, Scope any }
	if json.Unmarshal(challenge, &said) == nil {
		c.objection.Status, c.objection.Schemes, c.objection.Scope = tokenText(said.Status), tokenText(said.Schemes), tokenText(said.Scope)
	}
	return append([]byte{}, c.end...), nil
}

// maxTokenText bounds a text of an objection, which goes into reports.
const maxTokenText = 200

// tokenText is a value of the objection: a string, or a number as some servers write it.
func tokenText(v any) string {
	if v == nil {
		return ""
	}
	text := wire.Printable(fmt.Sprint(v))
	if len(text) > maxTokenText {
		text = strings.ToValidUTF8(text[:maxTokenText], "")
	}
	return text
}
