package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/provider"
)

// byWords goes by words of a refusal that providers are known to use where they give no code of their own.
func (s *subject) byWords(e *imapdial.SignInError, said string) (finding.Finding, bool) {
	kind := provider.Meaning(e.Response.Text)
	for _, alert := range e.Alerts {
		if kind == "" {
			kind = provider.Meaning(alert)
		}
	}
	said += s.alertText(e)
	switch kind {
	case provider.AppPassword:
		return s.appPassword(said, "the provider takes the password of the account only on the web, and wants one made for mail programs here"), true
	case provider.OAuthOnly:
		return s.oauthRequired(e, said), true
	case provider.IMAPOff:
		return s.protocolDisabled(said), true
	case provider.WebLogin:
		return s.webLogin(e, said), true
	case provider.Limit:
		row := refusals["LIMIT"]
		f := s.signInFinding(row.code, said, row.cause, row.remedies...)
		s.addHint(&f, provider.Limit)
		return f, true
	case provider.TrafficLimit, provider.IDRequired, provider.NoMailbox:
		return s.closedAccount(kind, said), true
	}
	return finding.Finding{}, false
}

func (s *subject) appPassword(said, cause string) finding.Finding {
	f := s.signInFinding("auth.app-password", said, cause,
		"create an app password in the security settings of the account and give that as the password",
		"if the settings have none, two-factor authentication may have to be switched on first, or the administrator does not permit them")
	s.addHint(&f, provider.AppPassword)
	return f
}

func (s *subject) protocolDisabled(said string) finding.Finding {
	f := s.signInFinding("auth.protocol-disabled", said, "IMAP is switched off for the account, for its domain, or in its plan",
		"switch IMAP on in the web mail's settings, wait some minutes, then try again",
		"ask the administrator of the account to permit IMAP for the time of the job")
	s.addHint(&f, provider.IMAPOff)
	return f
}

// notToken reports whether a mechanism takes something else than an OAuth token.
func notToken(mechanism string) bool { return !imapdial.TakesToken(mechanism) }

func (s *subject) oauthRequired(e *imapdial.SignInError, said string) finding.Finding {
	f := s.signInFinding("auth.oauth-required", said, "the provider has switched password sign-in off for IMAP",
		"look in the provider's settings for an app password or for a way to permit password sign-in",
		"ask the provider's administrator to permit it for the time of the job")
	for _, m := range []string{"OAUTHBEARER", "XOAUTH2"} {
		if slices.Contains(e.Offered, m) {
			f.Remedies = append(f.Remedies, s.apply("with an OAuth access token in hand, give it in place of the password and name the mechanism", "auth", m))
			break
		}
	}
	s.addHint(&f, provider.OAuthOnly)
	return f
}

// tokenRejected explains the server's objection to an OAuth token (RFC 7628 section 3.2.2).
func (s *subject) tokenRejected(e *imapdial.SignInError, said string) finding.Finding {
	cause := "the token has run out, or was issued for another user, application or scope; a password or a refresh token is none"
	f := s.signInFinding("auth.token-rejected", said, cause)
	if t := e.Token; t != nil {
		f.Evidence["status"], f.Evidence["schemes"], f.Evidence["scope"] = t.Status, t.Schemes, t.Scope
		if t.Status != "" {
			f.Summary = fmt.Sprintf("%s does not accept the OAuth token (status %s); the server said: %s", s.hostPort(), t.Status, serverWords(e.Response))
		}
		if t.Scope != "" {
			f.Remedies = advice("get a token with the scope that the server names: " + t.Scope)
		}
	}
	f.Remedies = append(f.Remedies, advice("get a new access token for "+s.target.User+" and try again soon: most live an hour",
		"with a password in hand, leave --"+s.flag("auth")+" out")...)
	s.addHint(&f, provider.UserName)
	return f
}

// addressIn returns the first address of the web in words, or "".
func addressIn(words string) string {
	for word := range strings.FieldsSeq(words) {
		if strings.HasPrefix(word, "https://") || strings.HasPrefix(word, "http://") {
			return strings.TrimRight(word, ".,;)")
		}
	}
	return ""
}

// secretFindings say what is remarkable about the form of a password that was refused.
func (s *subject) secretFindings(e *imapdial.SignInError) []finding.Finding {
	var findings []finding.Finding
	if e.Reason != imapdial.Refused {
		return nil
	}
	if s.signIn.edgeWhitespace {
		f := s.signInFinding("auth.secret-whitespace", "the password begins or ends with white space", "a blank or line end is easily copied along with a password",
			"give the password without the white space, if it does not belong to it")
		f.Certainty = finding.Likely
		findings = append(findings, f)
	}
	plainToo := slices.ContainsFunc(e.Offered, func(m string) bool { return m == "PLAIN" || strings.HasPrefix(m, "SCRAM-") })
	if s.signIn.nonASCII && e.Mechanism == "LOGIN" && !plainToo {
		f := s.signInFinding("auth.password-encoding", "the password has letters outside ASCII, and the server offers only LOGIN",
			"LOGIN does not say in which encoding such letters are sent; imapilot sends UTF-8, and this server may expect another",
			"set a password of plain letters, digits and signs for the time of the job")
		f.Certainty = finding.Possible
		findings = append(findings, f)
	}
	return findings
}
