package realserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

// cyrusVariable names the folder into which testdata/unpack-cyrus.sh has unpacked Cyrus.
const cyrusVariable = "IMAPILOT_TEST_CYRUS"

// CyrusConfig says how a Cyrus behaves. The zero value has the user alice with the password "secret" and folders below INBOX, separated by
// dots, as Debian has it.
type CyrusConfig struct {
	CA          *imaptest.CA      // issues the certificate; nil means a new one
	Certificate *tls.Certificate  // nil means a good one of CA for 127.0.0.2
	Users       map[string]string // passwords by user; nil means alice with "secret"
	Slash       bool              // the separator is "/" and not "."
	Beside      bool              // folders stand beside INBOX and not below it
	Cleartext   bool              // accept passwords without TLS
	Extra       string            // more lines of imapd.conf
}

// A Cyrus is a running server.
type Cyrus struct {
	CA    *imaptest.CA
	Host  string // 127.0.0.2
	IMAPS uint16 // port with TLS from the first byte
	IMAP  uint16 // port for STARTTLS
	Dir   string // everything of it

	config  CyrusConfig
	owner   owner
	process *process
}

// StartCyrus starts a Cyrus and returns when both ports greet. It is stopped when the test ends. Cyrus is looked for in the folder that the
// environment variable IMAPILOT_TEST_CYRUS names, else where Debian installs it, which it does only without Dovecot. So the test
// is skipped where Cyrus is missing, even if IMAPILOT_TEST_REQUIRE is "all"; it fails when the former variable is set or the latter
// lists "cyrus".
func StartCyrus(t testing.TB, c CyrusConfig) *Cyrus {
	t.Helper()
	root := cyrusRoot(t)
	if c.CA == nil {
		c.CA = imaptest.NewCA("Cyrus Test CA")
	}
	if c.Certificate == nil {
		cert := c.CA.Issue(imaptest.Leaf{})
		c.Certificate = &cert
	}
	if c.Users == nil {
		c.Users = map[string]string{"alice": "secret"}
	}
	s := &Cyrus{CA: c.CA, Host: host, config: c, owner: newOwner(t)}
	s.Dir = s.owner.folder(t, "cyrus")
	s.owner.mkdir(t, s.Dir, "conf", "conf/socket", "mail")
	ports := freePorts(t, 2)
	s.IMAPS, s.IMAP = ports[0], ports[1]

	bin := filepath.Join(root, "usr/lib/cyrus/bin")
	err := errors.Join(
		s.owner.write(filepath.Join(s.Dir, "imapd.conf"), s.imapdConf()),
		s.owner.write(filepath.Join(s.Dir, "cyrus.conf"), s.masterConf(bin)),
		s.writeCertificate())
	if err != nil {
		t.Fatal(err)
	}
	env := cyrusEnvironment(root)
	for user, password := range c.Users {
		if err := s.addUser(root, env, user, password); err != nil {
			t.Fatalf("add the user %s: %v", user, err)
		}
	}
	// -D leaves standard output and error alone.
	s.process = start(t, s.owner, s.Dir, env, filepath.Join(bin, "master"), "-D", "-C", filepath.Join(s.Dir, "imapd.conf"),
		"-M", filepath.Join(s.Dir, "cyrus.conf"), "-p", filepath.Join(s.Dir, "master.pid"))
	s.process.awaitGreetings(t, s.IMAPS, s.IMAP, c.Cleartext)
	return s
}

// cyrusRoot returns the folder in which usr/lib/cyrus is.
func cyrusRoot(t testing.TB) string {
	t.Helper()
	root := os.Getenv(cyrusVariable)
	if root == "" {
		root = "/"
	}
	if _, err := os.Stat(filepath.Join(root, "usr/lib/cyrus/bin/master")); err != nil {
		if os.Getenv(cyrusVariable) != "" || listed("cyrus") {
			t.Fatalf("look for Cyrus below %s: %v", root, err)
		}
		t.Skip("Cyrus is not installed, and " + cyrusVariable + " does not say where it is")
	}
	return root
}

// cyrusEnvironment lets the programs find libraries and SASL mechanisms below root.
func cyrusEnvironment(root string) []string {
	below := func(patterns ...string) string {
		var found []string
		for _, pattern := range patterns {
			matches, _ := filepath.Glob(filepath.Join(root, pattern)) // only a bad pattern is an error
			found = append(found, matches...)
		}
		return strings.Join(found, ":")
	}
	env := []string{"SASL_PATH=" + below("usr/lib/*/sasl2")}
	if root != "/" {
		env = append(env, "LD_LIBRARY_PATH="+below("usr/lib", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"))
	}
	return env
}

func (s *Cyrus) imapdConf() string {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprintf(`configdirectory: %[1]s/conf
defaultpartition: default
partition-default: %[1]s/mail
cyrus_user: %[2]s
servername: localhost
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: %[1]s/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: %[3]s
tls_server_cert: %[1]s/cert.pem
tls_server_key: %[1]s/cert.key
unixhierarchysep: %[4]s
altnamespace: %[5]s
conversations: no
failedloginpause: 0
# An INBOX comes at the first sign-in, without a limit.
autocreate_quota: 0
%[6]s
`, s.Dir, s.owner.name, yes(s.config.Cleartext), yes(s.config.Slash), yes(s.config.Beside), s.config.Extra)
}

func (s *Cyrus) masterConf(bin string) string {
	return fmt.Sprintf(`START {
  recover cmd="%[1]s/ctl_cyrusdb -C %[2]s/imapd.conf -r"
}
SERVICES {
  imap cmd="%[1]s/imapd -C %[2]s/imapd.conf" listen="%[3]s:%[4]d" prefork=1
  imaps cmd="%[1]s/imapd -C %[2]s/imapd.conf -s" listen="%[3]s:%[5]d" prefork=1
}
`, bin, s.Dir, s.Host, s.IMAP, s.IMAPS)
}

func (s *Cyrus) writeCertificate() error {
	certFile, keyFile, err := imaptest.WriteFiles(s.Dir, "cert", *s.config.Certificate)
	if err != nil {
		return err
	}
	return errors.Join(s.owner.own(certFile), s.owner.own(keyFile))
}

// addUser puts a password into the server's own database.
func (s *Cyrus) addUser(root string, env []string, user, password string) error {
	cmd := exec.Command(filepath.Join(root, "usr/sbin/saslpasswd2"), "-c", "-p", "-f", filepath.Join(s.Dir, "sasldb2"), "-u", "localhost", user)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(password)
	s.owner.as(cmd, false)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// Stop ends the server before its test ends.
func (s *Cyrus) Stop() { s.process.stop() }

// Login returns how a user signs in over TLS.
func (s *Cyrus) Login(user string) Login {
	return Login{Host: s.Host, Port: s.IMAPS, Security: imaptest.TLS, RootPEM: s.CA.RootPEM(), User: user, Password: s.config.Users[user]}
}
