package probe

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

// TestTokensOnDovecot signs in to a Dovecot that asks an authorization server about each token (RFC 7662).
func TestTokensOnDovecot(t *testing.T) {
	introspection := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.Contains(r.URL.RawQuery, canary) {
			fmt.Fprint(w, `{"active":false}`)
			return
		}
		fmt.Fprint(w, `{"active":true,"username":"alice","scope":"imap"}`)
	}))
	defer introspection.Close()
	folder, err := os.MkdirTemp("", "imapilot-oauth") // readable for the server's user, other than t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	conf := filepath.Join(folder, "oauth2.conf")
	text := "introspection_mode = get\nintrospection_url = " + introspection.URL + "/?token=\nactive_attribute = active\nactive_value = true\nusername_attribute = username\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	d := realserver.StartDovecot(t, realserver.Config{Mechanisms: []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}, Extra: fmt.Sprintf(`
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = %s
}
`, conf)})
	for _, mechanism := range []string{"XOAUTH2", "OAUTHBEARER"} {
		t.Run(mechanism, func(t *testing.T) {
			to := dovecotTarget(t, d, canary)
			to.Mechanism = mechanism
			o := run(t, dovecotProber(d), to)
			if o.Report.ExitCode != 0 || o.Accounts[0] == nil || o.Accounts[0].Mechanism != mechanism {
				t.Fatalf("got exit code %d, %v\n%s", o.Report.ExitCode, codes(o.Report), d.Log())
			}
			to = dovecotTarget(t, d, "another-token")
			to.Mechanism = mechanism
			o = run(t, dovecotProber(d), to)
			f := one(t, o.Report, "auth.token-rejected block you")
			if o.Report.ExitCode != 13 || f.Evidence["status"] == nil {
				t.Errorf("got exit code %d, evidence %v", o.Report.ExitCode, f.Evidence)
			}
			secretFree(t, o.Report, "another-token")
		})
	}
}
