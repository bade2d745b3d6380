package probe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/finding"
	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/provider"
)

// refusedSignIn finds the code for a sign-in that did not succeed.
func (s *subject) refusedSignIn(e *imapdial.SignInError) finding.Finding {
	f := s.signInReason(e)
	if e.Mechanism != "" {
		f.Evidence["mechanism"] = e.Mechanism
	}
	if e.Response.Raw != "" {
		f.Evidence["code"], f.Evidence["server_text"] = e.Response.Code, e.Response.Text
	}
	if len(e.Alerts) > 0 {
		f.Evidence["alerts"] = stringList(e.Alerts)
	}
	f.Evidence["offered"] = stringList(e.Offered)
	f.Reproduce = []string{s.session() + "   # then type: a1 LOGIN USER PASSWORD"}
	if e.Reason == imapdial.Refused && strings.HasPrefix(e.Mechanism, "SCRAM-") && f.Code == "auth.failed" {
		// Servers that keep only a hash of the password offer SCRAM and cannot do it for every account.
		f.Remedies = append(f.Remedies, s.apply("the server may not be able to do "+e.Mechanism+" for this account: try PLAIN, which TLS protects", "auth", "PLAIN"))
	}
	return f
}

// signInReason goes by what imapdial knows of the attempt.
func (s *subject) signInReason(e *imapdial.SignInError) finding.Finding {
	host := s.hostPort()
	switch e.Reason {
	case imapdial.Refused:
		return s.byResponseCode(e)
	case imapdial.Interrupted:
		if e.Response.Status == "BYE" {
			return s.byResponseCode(e)
		}
		f := s.signInFinding("auth.interrupted", "the connection to "+host+" ended during the sign-in: "+errorText(e.Err),
			"the server, or something on the way, broke off before there was an answer",
			"try again once; if it happens again, tell the administrator of the server, whose log says why")
		f.Certainty = finding.Likely
		return f
	case imapdial.LoginDisabled:
		return s.signInFinding("auth.login-disabled", host+" allows no sign-in on this connection (LOGINDISABLED)",
			"the server was set up not to take passwords here, though the connection is protected",
			"ask the administrator of the server where sign-in is allowed")
	case imapdial.NoMechanism, imapdial.NoCleartext:
		return s.noMechanism(e)
	case imapdial.Unsendable:
		f := s.signInFinding("auth.no-mechanism", wire.Printable(e.Error()),
			"the mechanism has rules for what a user name or password may contain", "give another mechanism with --"+s.flag("auth"))
		f.Responsible = finding.You
		return f
	case imapdial.ServerProof:
		f := s.signInFinding("auth.failed", host+" did not prove that it knows the password",
			"in "+e.Mechanism+" the server has to prove itself too, and this one could not: it is faulty, or another server answers in its place",
			"check the host before the password is sent in any other way", "tell the administrator of the server")
		f.Responsible, f.Certainty = finding.Server, finding.Likely
		return f
	}
	f := s.signInFinding("auth.failed", "the sign-in at "+host+" could not be carried out: "+wire.Printable(e.Error()),
		"the server's side of the exchange breaks the rules of "+e.Mechanism,
		"tell the administrator of the server")
	f.Remedies = append(f.Remedies, s.apply("try another mechanism", "auth", "PLAIN"))
	f.Responsible = finding.Server
	return f
}

func (s *subject) signInFinding(code finding.Code, summary, cause string, remedies ...string) finding.Finding {
	f := s.finding(code, summary, cause)
	f.Remedies = advice(remedies...)
	return f
}

// noMechanism tells a server that wants tokens from one with which there is nothing in common.
func (s *subject) noMechanism(e *imapdial.SignInError) finding.Finding {
	offered := strings.Join(e.Offered, ", ")
	if offered == "" {
		offered = "none"
	}
	tokens := slices.ContainsFunc(e.Offered, imapdial.TakesToken)
	switch {
	case e.Mechanism != "":
		f := s.signInFinding("auth.no-mechanism", fmt.Sprintf("%s does not offer %s; it offers %s", s.hostPort(), e.Mechanism, offered),
			"the mechanism was asked for with --"+s.flag("auth")+", and the server has others",
			"leave --"+s.flag("auth")+" out, so that the strongest mechanism of both sides is taken")
		f.Responsible = finding.You
		return f
	case tokens:
		return s.oauthRequired(e, s.hostPort()+" takes no passwords, only OAuth tokens; it offers "+offered)
	}
	return s.signInFinding("auth.no-mechanism", s.hostPort()+" offers no way to sign in that imapilot has; it offers "+offered,
		"the server asks for a mechanism that needs more than a password",
		"ask the administrator of the server to permit PLAIN inside TLS")
}

// A refusal is what a response code of a refused sign-in means.
type refusal struct {
	code     finding.Code
	cause    string
	remedies []string
}

// refusals are the codes of RFC 5530 section 3 that need nothing but their row. The others are in byResponseCode.
var refusals = map[string]refusal{
	"EXPIRED": {"auth.expired", "the password or the account has run out",
		[]string{"set a new password where the provider has its settings", "ask the administrator whether the account is still active"}},
	"CONTACTADMIN": askAdministrator,
	"NOPERM":       askAdministrator,
	"OVERQUOTA":    askAdministrator,
	"UNAVAILABLE":  comeBack,
	"INUSE":        comeBack,
	"SERVERBUG":    comeBack,
	"CORRUPTION":   comeBack,
	"LIMIT": {"auth.limit", "there are too many connections or sign-ins for this account or address",
		[]string{"close other mail programs that use the account, wait some minutes, and try again"}},
	"PRIVACYREQUIRED": {"auth.login-disabled", "the server takes no password on this connection",
		[]string{"use a connection with TLS", "ask the administrator of the server where sign-in is allowed"}},
}

var (
	askAdministrator = refusal{"auth.contact-admin", "the account exists and is not let in; only its administrator can say why",
		[]string{"ask the administrator of the account, with the server's words"}}
	comeBack = refusal{"auth.unavailable", "something that the server needs for the sign-in does not work now",
		[]string{"try again later", "tell the administrator of the server if it lasts"}}
)

// byResponseCode goes by the code of the answer, then by words that are known, and only then by what kind of answer it was.
func (s *subject) byResponseCode(e *imapdial.SignInError) finding.Finding {
	said := s.hostPort() + " refused the sign-in; the server said: " + serverWords(e.Response)
	if row, ok := refusals[e.Response.Code]; ok {
		return s.signInFinding(row.code, said, row.cause, row.remedies...)
	}
	if e.Response.Code == "WEBALERT" || e.WebURL != "" {
		return s.webLogin(e, said)
	}
	if f, ok := s.byWords(e, said); ok {
		return f
	}
	switch {
	case e.Response.Status == "BYE" && len(e.Alerts) == 0:
		return s.signInFinding("auth.interrupted", s.hostPort()+" ended the connection during the sign-in; the server said: "+serverWords(e.Response),
			"the server does not want to go on with this client or account", "follow what the server says, and try again later")
	case imapdial.TakesToken(e.Mechanism):
		return s.tokenRejected(e, said)
	case e.Response.Code == "AUTHENTICATIONFAILED":
		return s.wrongPassword(e, said)
	case e.Response.Code == "AUTHORIZATIONFAILED":
		return s.notAuthorized(said)
	case len(e.Alerts) > 0:
		return s.signInFinding("auth.alert", said+s.alertText(e), "the server has a message that must be read",
			"do what the message asks, then try again")
	}
	return s.wrongPassword(e, said)
}

// alertText quotes an alert that is not the answer itself.
func (s *subject) alertText(e *imapdial.SignInError) string {
	if e.Response.Code == "ALERT" || len(e.Alerts) == 0 {
		return ""
	}
	return " (alert: " + e.Alerts[0] + ")"
}

// wrongPassword is the finding of a refusal that gives no reason, unless the provider is known to refuse all passwords of this kind.
func (s *subject) wrongPassword(e *imapdial.SignInError, said string) finding.Finding {
	p := s.signIn.provider
	switch {
	case p != nil && p.OAuthOnly, e.Mechanism == "LOGIN" && len(e.Offered) > 0 && !slices.ContainsFunc(e.Offered, notToken):
		f := s.oauthRequired(e, said)
		f.Certainty = finding.Likely
		return f
	case s.signIn.notAppPassword:
		f := s.appPassword(said, p.Name+" takes only app passwords for IMAP, and the one given does not look like one of those")
		f.Certainty = finding.Likely
		return f
	}
	f := s.signInFinding("auth.failed", said, "the user name or the password is not right, or the provider wants another password for IMAP than for the web",
		"check the user name: many servers want the whole e-mail address", "enter the password anew",
		"look in the provider's settings whether IMAP has to be switched on, or needs an app password of its own")
	for _, kind := range []provider.Kind{provider.IMAPOff, provider.AppPassword, provider.UserName} {
		s.addHint(&f, kind) // the last one comes to stand first
	}
	return f
}

func (s *subject) notAuthorized(said string) finding.Finding {
	if s.target.AuthzID == "" {
		return s.signInFinding("auth.contact-admin", said, "the password is right, and the account may not use this service",
			"ask the administrator of the account to permit IMAP for it")
	}
	return s.signInFinding("auth.failed", said, s.target.User+" may not act for "+s.target.AuthzID,
		"check the user given with --"+s.flag("authzid"), "ask the administrator of the server to let "+s.target.User+" act for other accounts")
}

// webLogin finds that a sign-in with a browser comes first. The address is that of the response code, or stands in the words.
func (s *subject) webLogin(e *imapdial.SignInError, said string) finding.Finding {
	address := cmp.Or(e.WebURL, addressIn(e.Response.Text))
	f := s.signInFinding("auth.web-login", said, "the provider wants the account to be confirmed in a web browser first",
		"open "+cmp.Or(address, "the provider's web mail")+" in a browser, sign in there, then try again")
	f.Evidence["url"] = address
	s.addHint(&f, provider.WebLogin)
	return f
}
