package imapdial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/imapilot-project/imapilot/probe/imapdial/secret"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// A SignInError is a sign-in that did not succeed: what was tried and the server's words. Nothing is tried twice.
type SignInError struct {
	Mechanism string // "" when none could be used
	Reason    SignInReason
	Response  wire.Response // the tagged answer, or BYE; zero when none came
	Alerts    []string      // texts of ALERT and WEBALERT seen during sign-in, printable
	WebURL    string        // the address of a WEBALERT, printable, or ""
	Offered   []string      // the mechanisms offered, in upper case
	Token     *TokenError   // what the server objects to in an OAuth token, or nil
	Err       error         // of the connection or of the mechanism, or nil
}

// Temporary reports whether the server asks to come back later, and does not object to the password (RFC 5530 section 3; THROTTLED is Microsoft's). It is
// never a reason to send the password again at once.
func (e *SignInError) Temporary() bool {
	switch e.Response.Code {
	case "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED":
		return true
	}
	return false
}

func (e *SignInError) Error() string {
	switch e.Reason {
	case Refused:
		return fmt.Sprintf("the server refused %s: %s", e.Mechanism, e.Response.Raw)
	case Interrupted:
		if e.Response.Status == "BYE" {
			return fmt.Sprintf("the server ended the connection during %s: %s", e.Mechanism, e.Response.Text)
		}
		return fmt.Sprintf("the connection ended during %s: %v", e.Mechanism, e.Err)
	case LoginDisabled:
		return "the server allows no sign-in on this connection (LOGINDISABLED)"
	case NoMechanism:
		if e.Mechanism != "" {
			return fmt.Sprintf("the server does not offer %s; it offers %s", e.Mechanism, offeredList(e.Offered))
		}
		return fmt.Sprintf("the server offers no way to sign in that imapilot knows; it offers %s", offeredList(e.Offered))
	case NoCleartext:
		return "a secret is not sent on a connection without TLS"
	case ServerProof:
		return fmt.Sprintf("the server did not prove in %s that it knows the password", e.Mechanism)
	case BadChallenge:
		return fmt.Sprintf("the server's side of %s cannot be followed: %v", e.Mechanism, e.Err)
	case Unsendable:
		return fmt.Sprintf("%s cannot carry this user name or password: %v", e.Mechanism, e.Err)
	}
	return fmt.Sprintf("sign-in with %s did not succeed", e.Mechanism)
}

func (e *SignInError) Unwrap() error { return e.Err }

func offeredList(mechanisms []string) string {
	if len(mechanisms) == 0 {
		return "none"
	}
	return strings.Join(mechanisms, ", ")
}

// SignInReason is why a sign-in did not succeed.
type SignInReason uint8

// The reasons. Of them only Refused, Interrupted and ServerProof have sent something that depends on the secret.
const (
	Refused       SignInReason = iota + 1 // the server said NO or BAD
	Interrupted                           // the connection ended during the exchange
	LoginDisabled                         // LOGINDISABLED and no mechanism (RFC 9051 section 6.2.3)
	NoMechanism                           // none that both sides have
	NoCleartext                           // the connection has no TLS and the endpoint is not Cleartext
	ServerProof                           // SCRAM: the server does not know the secret; someone else answers
	Unsendable                            // the mechanism cannot carry the user name or the secret
	BadChallenge                          // what the server asked for in the exchange cannot be answered
)

// A TokenError is what a server says about an OAuth token that it did not accept (RFC 7628 section 3.2.2). Its texts are printable.
type TokenError struct {
	Status  string // such as invalid_token, or a number of HTTP in XOAUTH2
	Schemes string // of authentication that the server would take
	Scope   string // that a token needs
}

// mechanismLogin is the LOGIN command, or the SASL mechanism of that name where the command is disabled.
const mechanismLogin = "LOGIN"

// Mechanism returns what SignIn would use for want ("" for the strongest) given the capabilities offered, whether TLS protects
// the connection, and whether it is to act for another user. The error is a *[SignInError]; nothing was sent. A mechanism that takes an
// OAuth token is used only when want names it: whether a secret is a password or a token is for its owner to say, and a password does
// not belong where a token is logged.
func Mechanism(capabilities []string, want string, protected, forOther bool) (string, error) {
	offered := mechanisms(capabilities)
	disabled := has(capabilities, "LOGINDISABLED")
	usable := func(m string) bool {
		if forOther && (m == "CRAM-MD5" || m == mechanismLogin) {
			return false // they have no authorization identity
		}
		return slices.Contains(offered, m) || m == mechanismLogin && !disabled
	}
	if want != "" {
		want = strings.ToUpper(want)
		switch {
		case usable(want) && (TakesToken(want) || slices.Contains(preference(protected), want)):
			return want, nil
		case want == mechanismLogin && disabled:
			return "", &SignInError{Mechanism: want, Reason: LoginDisabled, Offered: offered}
		}
		return "", &SignInError{Mechanism: want, Reason: NoMechanism, Offered: offered}
	}
	for _, m := range preference(protected) {
		if usable(m) {
			return m, nil
		}
	}
	reason := NoMechanism
	if disabled && len(offered) == 0 {
		reason = LoginDisabled
	}
	return "", &SignInError{Reason: reason, Offered: offered}
}

// mechanisms are the SASL mechanisms among the capabilities, in upper case.
func mechanisms(capabilities []string) []string {
	var list []string
	for _, c := range capabilities {
		if m, ok := strings.CutPrefix(strings.ToUpper(c), "AUTH="); ok {
			list = append(list, m)
		}
	}
	return list
}

// preference is the order of mechanisms, strongest first. Without TLS one that hides the secret goes before those that do not.
func preference(protected bool) []string {
	if protected {
		return []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5", mechanismLogin}
	}
	return []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", mechanismLogin}
}

// TakesToken reports whether the secret of a mechanism (in upper case) is an OAuth 2.0 access token and not a password.
func TakesToken(mechanism string) bool { return mechanism == xoauth2 || mechanism == sasl.OAuthBearer }

// SignIn signs in as acct says, with s as the secret, in exactly one attempt. acct.Endpoint is not looked at. On success the Conn is
// spent and the Session owns the connection; on failure the Conn is closed. A non-nil error is an *[Error]; its cause is a
// *[SignInError] unless the context ended.
func (c *Conn) SignIn(ctx context.Context, acct Account, s secret.Secret) (*Session, error) {
	acct.Endpoint = c.facts.Endpoint
	var after []string
	err := c.bounded(ctx, StageSignIn, c.options.SignIn, func(context.Context) error {
		var err error
		acct.Mechanism, after, err = c.signIn(acct, s)
		return err
	})
	c.record()
	if err != nil {
		c.Close()
		return nil, &Error{Stage: StageSignIn, Endpoint: acct.Endpoint, Err: err}
	}
	c.spent = true
	session := &Session{conn: c, account: acct, capabilities: after}
	c.identify(ctx, session)
	return session, nil
}

// identify sends ID (RFC 2971 section 3.1) where it is offered, before anything else: some providers open no mailbox to a client that did not
// say what it is. Nothing depends on the answer; a connection that ends here shows itself at the next command.
func (c *Conn) identify(ctx context.Context, session *Session) {
	if !session.Has("ID") && !has(c.facts.Capabilities, "ID") {
		return
	}
	fields := `("name" "imapilot")`
	if v := c.options.Version; v != "" {
		fields = `("name" "imapilot" "version" ` + quoted(v) + `)`
	}
	begin := time.Now()
	c.bounded(ctx, StageSignIn, c.options.Timeout, func(context.Context) error {
		untagged, _, err := c.raw.Do(wire.Atom("ID"), wire.Atom(fields))
		for _, r := range untagged {
			if id, ok := r.Data("ID"); ok && !strings.EqualFold(id, "NIL") {
				session.identity = id
			}
		}
		return err
	})
	session.latency = time.Since(begin)
	c.record()
}

// quoted writes s as a quoted string of what can stand in one; RFC 2971 section 3.3 allows a value 1024 octets.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return `"` + s[:min(len(s), 100)] + `"`
}

// signIn returns the mechanism used and the capabilities that hold afterwards.
func (c *Conn) signIn(acct Account, s secret.Secret) (mechanism string, after []string, err error) {
	protected := c.facts.TLS != nil
	if !protected && c.facts.Endpoint.Security != Cleartext {
		return "", nil, &SignInError{Reason: NoCleartext}
	}
	mechanism, err = Mechanism(c.facts.Capabilities, acct.Mechanism, protected, acct.AuthzID != "")
	if err != nil {
		return "", nil, err
	}
	c.raw.NonSync = has(c.facts.Capabilities, "LITERAL+")
	e := &exchange{raw: c.raw, mechanism: mechanism, initial: has(c.facts.Capabilities, "SASL-IR")}
	tagged, err := e.run(acct, s, has(c.facts.Capabilities, "LOGINDISABLED"))
	if err != nil || tagged.Status != "OK" {
		return "", nil, e.failure(tagged, err, mechanisms(c.facts.Capabilities))
	}
	after, found := tagged.Capabilities()
	for _, r := range e.untagged {
		if caps, ok := r.Capabilities(); ok && !found {
			after, found = caps, true
		}
	}
	if !found {
		after, _, err = askCapabilities(c.raw)
	}
	if err != nil {
		return "", nil, &SignInError{Mechanism: mechanism, Reason: Interrupted, Err: err}
	}
	return mechanism, after, nil
}

// failure makes a SignInError of what ended the exchange.
func (e *exchange) failure(tagged wire.Response, err error, offered []string) error {
	f := &SignInError{Mechanism: e.mechanism, Reason: Refused, Response: tagged, Offered: offered, Err: err, Token: e.objection}
	var known *SignInError
	switch {
	case errors.As(err, &known):
		f.Reason, f.Err = known.Reason, known.Err
	case err != nil, tagged.Status == "BYE":
		f.Reason = Interrupted
	}
	for _, r := range append(slices.Clone(e.untagged), tagged) {
		switch {
		case r.Code == "ALERT":
			f.Alerts = append(f.Alerts, r.Text)
		case r.Code == "WEBALERT":
			f.Alerts = append(f.Alerts, r.Text)
			f.WebURL = r.Arg
		case r.Status == "BYE" && f.Response.Status == "":
			f.Response = r
		}
	}
	return f
}
