package realserver

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

// oracle is a program that reads an account with Python's imaplib, which shares no code with what is under test.
//
//go:embed oracle.py
var oracle string

// Login says where and as whom the oracle looks.
type Login struct {
	Host           string
	Port           uint16
	Security       imaptest.Security
	RootPEM        string // trusted for TLS
	User, Password string
}

// An OracleMessage is what the oracle saw of a message.
type OracleMessage struct {
	SHA256 string   `json:"sha256"` // of all octets, as the server gives them
	Size   int64    `json:"size"`   // their number
	Flags  []string `json:"flags"`  // sorted, without \Recent, in lower case since their case has no meaning
	Date   int64    `json:"date"`   // INTERNALDATE, seconds since 1970
}

// A Snapshot is all mail of an account by mailbox, those without mail included, under the server's names in UTF-8. The messages
// of each are sorted.
type Snapshot map[string][]OracleMessage

// Dump reads an account. It needs python3 and does without it what [Require] says.
func Dump(t testing.TB, l Login) Snapshot {
	t.Helper()
	python := Require(t, "python3")
	security := map[imaptest.Security]string{imaptest.TLS: "tls", imaptest.STARTTLS: "starttls", imaptest.Cleartext: "none"}[l.Security]
	question, err := json.Marshal(map[string]any{"host": l.Host, "port": l.Port, "security": security, "root": l.RootPEM, "user": l.User, "password": l.Password})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-I", "-c", oracle)
	cmd.Stdin = bytes.NewReader(question) // not in the arguments: everybody can read those
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("oracle on %s:%d: %v\n%s", l.Host, l.Port, err, &stderr)
	}
	var s Snapshot
	if err := json.Unmarshal(answer, &s); err != nil {
		t.Fatalf("oracle on %s:%d: %v", l.Host, l.Port, err)
	}
	return s
}

// Messages returns how many messages there are.
func (s Snapshot) Messages() int {
	n := 0
	for _, messages := range s {
		n += len(messages)
	}
	return n
}

// Diff returns in what source and dest differ, a line for each mailbox that only one has and for each message that one has more often; nil
// when they are equal. name gives the name in dest of a mailbox of source; nil leaves names alone. Messages are equal
// when body, flags and date are.
func Diff(source, dest Snapshot, name func(string) string) []string {
	var differences []string
	expected := make(map[string][]OracleMessage)
	for mailbox, messages := range source {
		if name != nil {
			mailbox = name(mailbox)
		}
		// Two mailboxes of the source may become one.
		expected[mailbox] = append(slices.Clip(expected[mailbox]), messages...)
	}
	for _, mailbox := range slices.Sorted(maps.Keys(expected)) {
		got, found := dest[mailbox]
		if !found {
			differences = append(differences, fmt.Sprintf("%s: missing in dest, with %d messages", mailbox, len(expected[mailbox])))
			continue
		}
		differences = append(differences, diffMailbox(mailbox, expected[mailbox], got)...)
	}
	for _, mailbox := range slices.Sorted(maps.Keys(dest)) {
		if _, found := expected[mailbox]; !found {
			differences = append(differences, fmt.Sprintf("%s: only in dest, with %d messages", mailbox, len(dest[mailbox])))
		}
	}
	return differences
}

func diffMailbox(mailbox string, want, got []OracleMessage) []string {
	more := make(map[string]int) // how many more the source has
	for _, m := range want {
		more[m.String()]++
	}
	for _, m := range got {
		more[m.String()]--
	}
	var differences []string
	for _, m := range slices.Sorted(maps.Keys(more)) {
		switch n := more[m]; {
		case n > 0:
			differences = append(differences, fmt.Sprintf("%s: %d missing in dest: %s", mailbox, n, m))
		case n < 0:
			differences = append(differences, fmt.Sprintf("%s: %d only in dest: %s", mailbox, -n, m))
		}
	}
	return differences
}

// String returns all of it on one line.
func (m OracleMessage) String() string {
	return fmt.Sprintf("%s %d octets (%s) %s", m.SHA256, m.Size, strings.Join(m.Flags, " "), time.Unix(m.Date, 0).UTC().Format(time.RFC3339))
}
