package imapdial

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// An exchange is one attempt to sign in.
type exchange struct {
	raw       *wire.Raw
	mechanism string
	initial   bool // SASL-IR is offered (RFC 4959)
	untagged  []wire.Response
	objection *TokenError // of the server, to an OAuth token
}

// run makes the attempt and returns the server's last word.
func (e *exchange) run(acct Account, s secret.Secret, loginDisabled bool) (wire.Response, error) {
	if e.mechanism == mechanismLogin && !loginDisabled {
		return e.login(acct.User, s)
	}
	client, proof, err := newMechanism(e.mechanism, acct, s)
	if err != nil {
		return wire.Response{}, &SignInError{Reason: Unsendable, Err: err}
	}
	tagged, err := e.authenticate(client)
	if t, ok := client.(*tokenClient); ok {
		e.objection = t.objection
	}
	if err == nil && tagged.Status == "OK" && proof != nil && !proof() {
		err = &SignInError{Reason: ServerProof}
	}
	return tagged, err
}

// login is the LOGIN command (RFC 9051 section 6.2.3).
func (e *exchange) login(user string, s secret.Secret) (wire.Response, error) {
	if strings.ContainsAny(user, "\r\n\x00") || bytes.ContainsAny(s.Reveal(), "\r\n\x00") {
		return wire.Response{}, &SignInError{Reason: Unsendable, Err: errors.New("it contains a line end or NUL")}
	}
	untagged, tagged, err := e.raw.Do(wire.Atom("LOGIN"), wire.String(user), wire.SecretString(s))
	e.untagged = untagged
	return tagged, err
}

// authenticate is the AUTHENTICATE command (RFC 9051 section 6.2.2). A mechanism that does not
// accept a challenge cancels the exchange with "*"; its error is what counts then.
func (e *exchange) authenticate(client sasl.Client) (wire.Response, error) {
	_, first, err := client.Start()
	if err != nil {
		return wire.Response{}, &SignInError{Reason: Unsendable, Err: err}
	}
	args := []wire.Arg{wire.Atom("AUTHENTICATE"), wire.Atom(e.mechanism)}
	if first != nil && e.initial {
		args = append(args, wire.SecretAtom(encode(first, "=")))
		first = nil
	}
	tag, resp, err := e.raw.Start(&e.untagged, args...)
	var refusal error
	for err == nil && resp.Tag == "" {
		if resp, err = e.raw.Await(tag, &e.untagged); err != nil || resp.Tag != "+" {
			break
		}
		answer := first
		if first == nil {
			answer, refusal = next(client, resp.Text)
		}
		first = nil
		if refusal != nil {
			err = e.raw.Continue(wire.Atom("*"))
		} else {
			err = e.raw.Continue(wire.SecretAtom(encode(answer, "")))
		}
		resp = wire.Response{}
	}
	if refusal != nil && !errors.As(refusal, new(*SignInError)) {
		refusal = &SignInError{Reason: BadChallenge, Err: refusal}
	}
	if refusal != nil {
		return resp, refusal
	}
	return resp, err
}

func next(client sasl.Client, challenge string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge))
	if err != nil {
		return nil, fmt.Errorf("the server's challenge is not base64: %w", err)
	}
	return client.Next(b)
}

// encode returns the base64 of b, or empty where b is: an empty initial response is written "=" (RFC 4959 section 3).
func encode(b []byte, empty string) []byte {
	if len(b) == 0 {
		return []byte(empty)
	}
	return base64.StdEncoding.AppendEncode(nil, b)
}

// newMechanism returns a client for mechanism, and for SCRAM a func that tells whether the server proved itself.
func newMechanism(mechanism string, acct Account, s secret.Secret) (client sasl.Client, proof func() bool, err error) {
	switch mechanism {
	case "SCRAM-SHA-256":
		return newSCRAM(mechanism, scram.SHA256, acct, s)
	case "SCRAM-SHA-1":
		return newSCRAM(mechanism, scram.SHA1, acct, s)
	case "PLAIN": // RFC 4616; the authentication identity is always filled
		if bytes.IndexByte(s.Reveal(), 0) >= 0 {
			return nil, nil, errors.New("it contains NUL")
		}
		return sasl.NewPlainClient(acct.AuthzID, acct.User, string(s.Reveal())), nil, nil
	case "CRAM-MD5":
		return &cramMD5{user: acct.User, secret: s}, nil, nil
	case xoauth2, sasl.OAuthBearer:
		client, err = newToken(mechanism, acct, s)
		return client, nil, err
	case mechanismLogin:
		return sasl.NewLoginClient(acct.User, string(s.Reveal())), nil, nil
	}
	return nil, nil, fmt.Errorf("mechanism %q is not known", mechanism)
}

// cramMD5 is CRAM-MD5 (RFC 2195).
type cramMD5 struct {
	user   string
	secret secret.Secret
}

func (c *cramMD5) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (c *cramMD5) Next(challenge []byte) ([]byte, error) {
	mac := hmac.New(md5.New, c.secret.Reveal())
	mac.Write(challenge)
	return []byte(c.user + " " + hex.EncodeToString(mac.Sum(nil))), nil
}

// maxIterations bounds the work that a server can ask of us: 10 times what is in use.
const maxIterations = 1_000_000

// scramClient is SCRAM (RFC 5802, RFC 7677) as a sasl.Client.
type scramClient struct {
	name         string
	conversation *scram.ClientConversation
	first        string
}

func newSCRAM(name string, hash scram.HashGeneratorFcn, acct Account, s secret.Secret) (sasl.Client, func() bool, error) {
	client, err := hash.NewClient(acct.User, string(s.Reveal()), acct.AuthzID)
	if err != nil {
		return nil, nil, errors.New("it contains characters that SASLprep does not allow (RFC 4013)")
	}
	c := &scramClient{name: name, conversation: client.NewConversation()}
	if c.first, err = c.conversation.Step(""); err != nil {
		return nil, nil, err
	}
	return c, c.conversation.Valid, nil
}

func (c *scramClient) Start() (string, []byte, error) { return c.name, []byte(c.first), nil }

func (c *scramClient) Next(challenge []byte) ([]byte, error) {
	if c.conversation.Done() {
		return nil, errors.New("the server goes on after its last message")
	}
	for field := range strings.SplitSeq(string(challenge), ",") {
		if i, ok := strings.CutPrefix(field, "i="); ok {
			if n, err := strconv.Atoi(i); err != nil || n > maxIterations {
				return nil, fmt.Errorf("the server asks for %.20q iterations, more than %d", i, maxIterations)
			}
		}
	}
	answer, err := c.conversation.Step(string(challenge))
	if err != nil && c.conversation.Done() {
		// The server's last message: its proof is wrong, or it says what is wrong with ours ("e=…"), which a tagged NO follows.
		if strings.HasPrefix(string(challenge), "e=") {
			return []byte{}, nil
		}
		return nil, &SignInError{Reason: ServerProof, Err: err}
	}
	return []byte(answer), err
}
