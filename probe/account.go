package probe

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial"
	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
)

// An accountAnswers is what the account said after sign-in. The zero value: it was not asked.
type accountAnswers struct {
	answers  []imapdial.Answer
	err      error // of the connection, which is of no use then
	identity string
	latency  time.Duration // of one round trip with a command, 0 when it was not measured
	sample   sample
	freeze   *freeze // the connection stopped while the sample was read; nil: it did not
}

// askAccount sends everything that the checks of the account need, in one go: a round trip is paid once, and a server that refuses all of it
// is not asked again. With sampling, where the inbox opens, a second go reads a sample of it.
func askAccount(ctx context.Context, session *imapdial.Session, role Role, sampling bool) accountAnswers {
	a := accountAnswers{identity: session.Identity(), latency: session.Latency()}
	commands := accountCommands(session, role)
	if !sampling {
		commands = append(commands, unselect(session)...)
	}
	a.answers, a.err = session.DoAll(ctx, commands...)
	if sampling && a.err == nil && a.opened().OK() {
		var more []imapdial.Answer
		begin := time.Now()
		a.sample, more, a.err = readSample(ctx, session, a.opened())
		if a.err != nil {
			a.freeze = frozeAfterSignIn(session, a.err, begin)
		}
		a.answers = append(a.answers, more...)
	}
	return a
}

// accountCommands change nothing. Only where a destination has no MYRIGHTS the inbox is selected and not examined, since that alone tells whether it
// can be written to.
func accountCommands(session *imapdial.Session, role Role) []string {
	rights := role == RoleDest && session.Has("ACL")
	var commands []string
	if session.Has("NAMESPACE") {
		commands = append(commands, "NAMESPACE")
	}
	if session.Has("QUOTA") {
		commands = append(commands, "GETQUOTAROOT INBOX") // RFC 9208 section 4.1.2
	}
	if rights {
		commands = append(commands, "MYRIGHTS INBOX") // RFC 4314 section 3.5
	}
	if session.Has("APPENDLIMIT") { // without a number it differs from mailbox to mailbox (RFC 7889 section 3.2)
		commands = append(commands, "STATUS INBOX (APPENDLIMIT)")
	}
	commands = append(commands, `LIST "" INBOX`)
	if role == RoleDest && !rights {
		commands = append(commands, "SELECT INBOX")
	} else {
		commands = append(commands, "EXAMINE INBOX")
	}
	return commands
}

// answer returns the answer to the command called name, and whether it was sent.
func (a *accountAnswers) answer(name string) (imapdial.Answer, bool) {
	for _, x := range a.answers {
		if first, _, _ := strings.Cut(x.Command, " "); first == name {
			return x, true
		}
	}
	return imapdial.Answer{}, false
}

// unanswered says why an answer holds nothing, "" for one that does.
func (s *subject) unanswered(a imapdial.Answer) string {
	switch {
	case a.OK():
		return ""
	case a.Tagged.Tag != "":
		return "the server said: " + serverWords(a.Tagged)
	case s.signIn.account.err != nil:
		return "the connection ended: " + errorText(s.signIn.account.err)
	}
	return "there was no answer"
}

// dataOf returns the arguments of the first untagged data named name in an answer.
func dataOf(a imapdial.Answer, name string) (args string, ok bool) {
	for _, r := range a.Untagged {
		if args, ok = r.Data(name); ok {
			return args, true
		}
	}
	return "", false
}

// accountGate lets the checks of the account follow the sign-in.
func accountGate(s *subject) (Result, bool) {
	switch s.signIn.phase {
	case signInUndecided:
		return Result{}, true
	case signInElsewhere:
		return Result{Status: Skip, Summary: "not applicable: the sign-in is tried on the recommended endpoint"}, true
	}
	return Result{}, false
}

// accountDataGate holds what cannot be known of an account that refuses everything, so that it is said once.
func accountDataGate(s *subject) (Result, bool) {
	if r, decided := accountGate(s); decided {
		return r, true
	}
	if s.signIn.phase == signInTried && s.signIn.err == nil {
		if _, closed := s.noAccess(); closed {
			return Result{Status: Held, BlockedBy: "account.access", Summary: "not known: the account refuses everything"}, true
		}
	}
	return Result{}, false
}

// extensions are those that the engine makes use of, as listed in CAPABILITY.
var extensions = []string{"LITERAL+", "LITERAL-", "UIDPLUS", "MULTIAPPEND", "NAMESPACE", "SPECIAL-USE", "CREATE-SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS",
	"STATUS=SIZE", "ESEARCH", "CONDSTORE", "QRESYNC", "OBJECTID", "MOVE", "UNSELECT", "ENABLE", "ID", "IDLE", "QUOTA", "ACL", "BINARY", "COMPRESS=DEFLATE",
	"UTF8=ACCEPT", "IMAP4rev2"}

// accountCapability lists what the server offers after sign-in.
func accountCapability(s *subject) outcome {
	caps := s.signIn.capabilities
	var has, lacks []string
	for _, e := range extensions {
		if hasCapability(caps, e) {
			has = append(has, e)
		} else {
			lacks = append(lacks, e)
		}
	}
	out := outcome{
		summary: fmt.Sprintf("the server lists %s after sign-in", count(len(caps), "capability", "capabilities")),
		facts:   map[string]any{"count": len(caps), "extensions": stringList(has), "missing": stringList(lacks)},
	}
	if limit, ok := s.appendLimit(); ok {
		out.facts["append_limit"] = limit
	}
	if id := s.signIn.account.identity; id != "" {
		out.facts["server_id"] = wire.Printable(id)
	}
	return out
}

// appendLimit returns how many octets a message may have that is appended (RFC 7889), and whether the server says so.
func (s *subject) appendLimit() (octets int64, ok bool) {
	for _, c := range s.signIn.capabilities {
		if n, found := strings.CutPrefix(strings.ToUpper(c), "APPENDLIMIT="); found {
			octets, err := strconv.ParseInt(n, 10, 64)
			return octets, err == nil && octets >= 0
		}
	}
	a, _ := s.signIn.account.answer("STATUS")
	args, _ := dataOf(a, "STATUS")
	_, list, _ := strings.Cut(args, "(")
	words := strings.Fields(strings.ToUpper(strings.TrimSuffix(list, ")")))
	for i := 0; i+1 < len(words); i += 2 {
		if words[i] == "APPENDLIMIT" {
			octets, err := strconv.ParseInt(words[i+1], 10, 64) // NIL: no limit
			return octets, err == nil && octets >= 0
		}
	}
	return 0, false
}
