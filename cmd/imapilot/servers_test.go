package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
	"github.com/rogpeppe/go-internal/testscript"
)

// canary is the password of every account in the scripts: nothing that imapilot writes may hold it in any form.
const canary = "Canary-7f3a/q Zw&9"

// scriptServers are the two servers of a script.
type scriptServers struct {
	ca           *imaptest.CA
	source, dest *imaptest.Server
}

type scriptKey struct{}

// cmdServers starts a source with TLS from the first byte and the sample mail, and an empty destination with STARTTLS, both with an
// account anna. It sets SOURCE and DEST (URLs), SOURCE_PORT, DEST_PORT, MESSAGES and SECRET, and writes ca.pem and pass: servers
func cmdServers(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(scriptKey{}).(*scriptServers)
	s.ca = imaptest.NewCA("script CA")
	var err error
	s.source, err = imaptest.Start(imaptest.Config{Security: imaptest.TLS, Certificate: s.ca.Issue(imaptest.Leaf{})})
	ts.Check(err)
	ts.Defer(func() { s.source.Close() })
	s.dest, err = imaptest.Start(imaptest.Config{Security: imaptest.STARTTLS, Certificate: s.ca.Issue(imaptest.Leaf{}), Delim: '.', Prefix: "INBOX."})
	ts.Check(err)
	ts.Defer(func() { s.dest.Close() })
	sample := imaptest.Sample()
	messages := 0
	for _, f := range sample {
		messages += len(f.Messages)
	}
	ts.Check(s.source.AddAccount("anna", canary).Fill(sample))
	s.dest.AddAccount("anna", canary)

	ts.Setenv("SOURCE", "imaps://anna@"+s.source.Address())
	ts.Setenv("DEST", "imap+starttls://anna@"+s.dest.Address())
	ts.Setenv("SOURCE_PORT", fmt.Sprint(s.source.Port()))
	ts.Setenv("DEST_PORT", fmt.Sprint(s.dest.Port()))
	ts.Setenv("MESSAGES", fmt.Sprint(messages))
	ts.Setenv("SECRET", canary)
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), []byte(s.ca.RootPEM()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("pass"), []byte(canary+"\n"), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("two-lines"), []byte(canary+"\n"+canary+"\n"), 0o600))
}

// cmdServer breaks or heals a server, or checks how many commands of a name it saw since the last time: server source|dest
// expired|endssoon|good|stripped|offered, server source|dest counts NAME=N…
func cmdServer(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(scriptKey{}).(*scriptServers)
	if s.ca == nil || len(args) < 2 {
		ts.Fatalf("usage: servers, and then server source|dest expired|endssoon|good|stripped|offered|counts")
	}
	server := map[string]*imaptest.Server{"source": s.source, "dest": s.dest}[args[0]]
	switch args[1] {
	case "expired":
		server.SetCertificate(s.ca.Issue(imaptest.Leaf{NotAfter: time.Now().Add(-time.Hour)}))
	case "endssoon":
		server.SetCertificate(s.ca.Issue(imaptest.Leaf{NotBefore: time.Now().AddDate(0, 0, -80), NotAfter: time.Now().AddDate(0, 0, 5)}))
	case "good":
		server.SetCertificate(s.ca.Issue(imaptest.Leaf{}))
	case "stripped":
		server.SetStartTLS(imaptest.StartTLSStripped)
	case "offered":
		server.SetStartTLS(imaptest.StartTLSOffered)
	case "counts":
		for _, arg := range args[2:] {
			name, want, _ := strings.Cut(arg, "=")
			if got := fmt.Sprint(server.Count(name)); got != want {
				ts.Fatalf("%s saw %s %s, want %s", args[0], got, name, want)
			}
		}
		server.ResetCounts()
	default:
		ts.Fatalf("server cannot be %s", args[1])
	}
}

// keepForCanary keeps what a command printed where nocanary looks.
func keepForCanary(ts *testscript.TestScript) {
	f, err := os.OpenFile(ts.MkAbs("printed"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	defer f.Close()
	fmt.Fprintf(f, "%s\n%s\n", ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

// cmdNoCanary looks for the password, as it is and in other forms, in all that commands printed so far and in every file of the script
// but the named ones that bring it: nocanary FILE…
func cmdNoCanary(ts *testscript.TestScript, _ bool, except []string) {
	forms := map[string]string{
		"as it is":  canary,
		"in hex":    hex.EncodeToString([]byte(canary)),
		"in base64": base64.StdEncoding.EncodeToString([]byte(canary)),
		"of PLAIN":  base64.StdEncoding.EncodeToString([]byte("\x00anna\x00" + canary)),
		"as octets": strings.Trim(fmt.Sprint([]byte(canary)), "[]"),
		"in part":   canary[:len("Canary-7f3a")],
	}
	root := ts.MkAbs(".")
	looked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		for _, name := range except {
			if path == ts.MkAbs(name) {
				return nil
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		for how, form := range forms {
			if strings.Contains(strings.ToLower(string(b)), strings.ToLower(form)) {
				ts.Fatalf("%s holds the password %s", path, how)
			}
		}
		return nil
	})
	ts.Check(err)
	if looked == 0 {
		ts.Fatalf("there was nothing to look at")
	}
}

// sampleNames are what the servers of a script are called and hold, as far as no word of ours is alike.
var sampleNames = []string{
	"anna", "127.0.0.1:", "@127.0.0.1", "=127.0.0.1", `"127.0.0.1"`, "Archive", "Familie", "Großeltern", "Urlaub", "Österreich", "Rechnungen", "2023.Q4", "Noten", "Работа", "Проекты",
	"京都の春", "Listes", "lesen", "@example", "ca.pem",
}

// cmdNoNames looks for names of the servers in all that commands printed so far and in their reports: nonames
func cmdNoNames(ts *testscript.TestScript, _ bool, _ []string) {
	paths, err := filepath.Glob(ts.MkAbs("*"))
	ts.Check(err)
	looked := 0
	for _, path := range paths {
		if base := filepath.Base(path); base == "ca.pem" || base == "pass" || base == "two-lines" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue // a folder
		}
		looked++
		for _, name := range sampleNames {
			if i := strings.Index(string(b), name); i >= 0 {
				ts.Fatalf("%s holds %s: …%s…", path, name, b[max(0, i-60):min(len(b), i+60)])
			}
		}
	}
	if looked < 10 {
		ts.Fatalf("there were %d files to look at", looked)
	}
}
