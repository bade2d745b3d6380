package realserver_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest/realserver"
)

func TestCyrus(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config realserver.CyrusConfig
		want   imap.NamespaceDescriptor
	}{
		{"as Debian has it", realserver.CyrusConfig{}, imap.NamespaceDescriptor{Prefix: "INBOX.", Delim: '.'}},
		{"with slashes, beside INBOX", realserver.CyrusConfig{Slash: true, Beside: true, Users: map[string]string{"alice": `p:a ss"wörd\`}, Cleartext: true}, imap.NamespaceDescriptor{Delim: '/'}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := realserver.StartCyrus(t, tt.config)
			c := signIn(t, s.Login("alice"))
			namespace, err := c.Namespace().Wait()
			if err != nil || !slices.Contains(namespace.Personal, tt.want) {
				t.Errorf("NAMESPACE: %+v, %v", namespace, err)
			}
			folders := []imaptest.Folder{{Path: []string{"Größe", "日本"}, Messages: []imaptest.Message{{Flags: []string{`\Seen`, "Mine"}, Body: []byte("Subject: x\r\n\r\nbody\r\n")}}}}
			if err := imaptest.Upload(t.Context(), c, folders); err != nil {
				t.Fatal(err)
			}
			snapshot := realserver.Dump(t, s.Login("alice"))
			name := tt.want.Prefix + strings.Join(folders[0].Path, string(tt.want.Delim))
			if got := snapshot[name]; len(got) != 1 || !slices.Equal(got[0].Flags, []string{`\seen`, "mine"}) {
				t.Errorf("the oracle saw %v", snapshot)
			}
			s.Stop()
		})
	}
}
