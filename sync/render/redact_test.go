package render

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/render/redact"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

func TestResultsAreMasked(t *testing.T) {
	source := "Geheim/Alt"
	message := []mailsync.MessageRef{{UID: 7, MessageID: "<1@box.acme.example>"}}
	failure := mailsync.Failure{Folder: source, UID: 7, MessageID: "<1@box.acme.example>", Step: "append", Code: "OVERQUOTA", ServerText: "[OVERQUOTA] anna has no room"}
	masks := redact.New()
	for name, v := range map[string]any{
		"plan": RedactPlan(&mailsync.Plan{Folders: []mailsync.FolderPlan{{Source: source, Dest: "INBOX.Geheim.Alt", Why: "Geheim/Alt and INBOX.Geheim.Alt are one"}}}, masks),
		"verification": RedactVerification(&mailsync.Verification{Folders: []mailsync.FolderVerify{
			{Source: &source, Dest: "INBOX.Geheim.Alt", Missing: message, Extra: message, FlagsDiffer: message, DatesDiffer: message, BodiesDiffer: message}, {Dest: "Geheim"},
		}}, masks),
		"summary": RedactSummary(&mailsync.Summary{Failures: []mailsync.Failure{failure}}, masks),
	} {
		checkMasked(t, name, v)
	}
	for _, data := range []any{
		mailsync.RunStart{Source: "box.acme.example:993/tls", Dest: "10.1.2.3:143/starttls"},
		mailsync.Endpoint{Side: "source", Host: "box.acme.example", Port: 993, Security: "tls", Auth: "PLAIN"},
		mailsync.FolderStart{Source: source, Dest: "INBOX.Geheim.Alt"},
		mailsync.FolderEnd{Source: source, Dest: "INBOX.Geheim.Alt"},
		failure,
		mailsync.Throttled{Side: "dest", Code: "LIMIT", ServerText: "[LIMIT] anna, slow down"},
		mailsync.Reconnected{Side: "dest", Reason: "the server said: bye anna"},
		mailsync.ProgressEvent{Phase: "copy", Bytes: 5},
		&mailsync.Summary{Failures: []mailsync.Failure{failure}},
	} {
		e := RedactEvent(mailsync.Event{Event: "x", Data: data}, masks)
		if e.Data == nil {
			t.Errorf("%T is left out", data)
		}
		checkMasked(t, "event", e)
	}
	if e := RedactEvent(mailsync.Event{Data: struct{ Folder string }{source}}, masks); e.Data != nil {
		t.Errorf("what is not known gets out: %v", e.Data)
	}
}

func checkMasked(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Geheim", "acme", "anna", "10.1.2.3"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s holds %s: %s", name, secret, b)
		}
	}
}
