package realserver

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/imapilot-project/imapilot/probe/imapdial/imaptest"
)

// Config says how a Dovecot behaves. The zero value has the user alice with the password "secret", Maildir, the separator "/" and no prefix.
type Config struct {
	CA          *imaptest.CA      // issues the certificate; nil means a new one
	Certificate *tls.Certificate  // nil means a good one of CA for 127.0.0.2
	Users       map[string]string // passwords by user; nil means alice with "secret"
	Separator   string            // "" means "/"
	Prefix      string            // of the personal namespace, such as "INBOX."
	Storage     string            // maildir or sdbox; "" means maildir
	Mechanisms  []string          // of SASL: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256; nil means PLAIN and LOGIN
	SpecialUse  map[string]string // attribute by mailbox (without prefix), shown once that exists; nil means Sent, Drafts, Trash
	AutoCreate  bool              // the mailboxes of SpecialUse exist from the first sign-in
	MaxPerUser  int               // connections of a user from one address; 0 means 1000
	Cleartext   bool              // accept passwords without TLS
	Extra       string            // more lines of dovecot.conf
}

// A Dovecot is a running server.
type Dovecot struct {
	CA    *imaptest.CA
	Host  string // 127.0.0.2
	IMAPS uint16 // port with TLS from the first byte
	IMAP  uint16 // port for STARTTLS
	Dir   string // everything of it, the log dovecot.log among it

	config  Config
	owner   owner
	process *process
}

// StartDovecot starts a Dovecot and returns when both ports greet. It is stopped when the test ends. Without Dovecot on
// this machine it does what [Require] says.
func StartDovecot(t testing.TB, c Config) *Dovecot {
	t.Helper()
	program := Require(t, "dovecot")
	c.fill()
	d := &Dovecot{CA: c.CA, Host: host, config: c, owner: newOwner(t)}
	d.Dir = d.owner.folder(t, "dovecot")
	d.owner.mkdir(t, d.Dir, "base", "state", "mail")
	ports := freePorts(t, 2)
	d.IMAPS, d.IMAP = ports[0], ports[1]

	conf, err := d.configuration()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"dovecot.conf": conf, "users": d.users()} {
		if err := d.owner.write(filepath.Join(d.Dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.writeCertificate(*c.Certificate); err != nil {
		t.Fatal(err)
	}
	d.process = start(t, d.owner, d.Dir, nil, program, "-F", "-c", filepath.Join(d.Dir, "dovecot.conf"))
	d.process.awaitGreetings(t, d.IMAPS, d.IMAP, c.Cleartext)
	return d
}

// fill puts the defaults in.
func (c *Config) fill() {
	if c.CA == nil {
		c.CA = imaptest.NewCA("Dovecot Test CA")
	}
	if c.Certificate == nil {
		cert := c.CA.Issue(imaptest.Leaf{})
		c.Certificate = &cert
	}
	if c.Users == nil {
		c.Users = map[string]string{"alice": "secret"}
	}
	if c.Separator == "" {
		c.Separator = "/"
	}
	if c.Storage == "" {
		c.Storage = "maildir"
	}
	if c.Mechanisms == nil {
		c.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	if c.SpecialUse == nil {
		c.SpecialUse = map[string]string{"Sent": `\Sent`, "Drafts": `\Drafts`, "Trash": `\Trash`}
	}
	if c.MaxPerUser == 0 {
		c.MaxPerUser = 1000
	}
}

var dovecotConf = template.Must(template.New("dovecot.conf").Parse(`base_dir = {{.Dir}}/base
state_dir = {{.Dir}}/state
log_path = {{.Dir}}/dovecot.log
auth_verbose = yes
instance_name = {{.Dir}}
protocols = imap
listen = {{.Host}}
default_internal_user = {{.User}}
default_internal_group = {{.Group}}
default_login_user = {{.User}}
first_valid_uid = 1
auth_mechanisms = {{.Mechanisms}}
auth_failure_delay = 0
disable_plaintext_auth = {{if .Cleartext}}no{{else}}yes{{end}}
ssl = yes
ssl_cert = <{{.Dir}}/cert.pem
ssl_key = <{{.Dir}}/cert.key
ssl_min_protocol = TLSv1.2
mail_location = {{.Location}}
mail_fsync = never
mail_max_userip_connections = {{.MaxPerUser}}
passdb {
  driver = passwd-file
  args = username_format=%u {{.Dir}}/users
}
userdb {
  driver = static
  args = uid={{.UID}} gid={{.GID}} home={{.Dir}}/mail/%u
}
namespace inbox {
  inbox = yes
  separator = {{.Separator}}
  prefix = {{.Prefix}}
{{- range .Mailboxes}}
  mailbox "{{.Name}}" {
    special_use = {{.Use}}
    auto = {{if $.AutoCreate}}create{{else}}no{{end}}
  }
{{- end}}
}
service imap-login {
  chroot =
  client_limit = 1000
  service_count = 0
  inet_listener imap {
    port = {{.IMAP}}
  }
  inet_listener imaps {
    port = {{.IMAPS}}
    ssl = yes
  }
}
service imap {
  process_limit = 1000
}
service anvil {
  chroot =
  # Without this socket no sign-in is delayed for those that failed before.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
{{.Extra}}
`))

func (d *Dovecot) configuration() (string, error) {
	type mailbox struct{ Name, Use string }
	var mailboxes []mailbox
	for _, name := range slices.Sorted(maps.Keys(d.config.SpecialUse)) {
		mailboxes = append(mailboxes, mailbox{name, d.config.SpecialUse[name]})
	}
	location, known := map[string]string{"maildir": "maildir:~/Maildir", "sdbox": "sdbox:~/sdbox"}[d.config.Storage]
	if !known {
		return "", fmt.Errorf("unknown storage %q", d.config.Storage)
	}
	var conf bytes.Buffer
	err := dovecotConf.Execute(&conf, struct {
		Config
		Dir, Host, User, Group string
		UID, GID               int
		IMAP, IMAPS            uint16
		Mechanisms, Location   string
		Mailboxes              []mailbox
	}{
		d.config, d.Dir, d.Host, d.owner.name, d.owner.group, d.owner.uid, d.owner.gid, d.IMAP, d.IMAPS,
		strings.ToLower(strings.Join(d.config.Mechanisms, " ")), location, mailboxes,
	})
	return conf.String(), err
}

// users is the file of passwords. They stand there in base64, so that any character may be in one, and unhashed, so that
// challenge and response can be checked.
func (d *Dovecot) users() string {
	var b strings.Builder
	for user, password := range d.config.Users {
		fmt.Fprintf(&b, "%s:{PLAIN.b64}%s::::::\n", user, base64.StdEncoding.EncodeToString([]byte(password)))
	}
	return b.String()
}

func (d *Dovecot) writeCertificate(cert tls.Certificate) error {
	certFile, keyFile, err := imaptest.WriteFiles(d.Dir, "cert", cert)
	if err != nil {
		return err
	}
	return errors.Join(d.owner.own(certFile), d.owner.own(keyFile))
}

// SetCertificate changes the certificate and returns when new connections see it.
func (d *Dovecot) SetCertificate(t testing.TB, cert tls.Certificate) {
	t.Helper()
	if err := d.writeCertificate(cert); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(d.Dir, "base", "master.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := reload(pid); err != nil {
		t.Fatalf("reload dovecot, process %d: %v", pid, err)
	}
	d.process.await(t, "the new certificate", func() error {
		seen, err := peerCertificate(d.Host, d.IMAPS)
		if err == nil && !bytes.Equal(seen, cert.Certificate[0]) {
			err = fmt.Errorf("port %d still shows the old one", d.IMAPS)
		}
		return err
	})
}

// Stop ends the server before its test ends.
func (d *Dovecot) Stop() { d.process.stop() }

// Mail returns the folder of a user's mail on disk: the Maildir, or sdbox's root.
func (d *Dovecot) Mail(user string) string {
	if d.config.Storage == "sdbox" {
		return filepath.Join(d.Dir, "mail", user, "sdbox")
	}
	return filepath.Join(d.Dir, "mail", user, "Maildir")
}

// Log returns the server's log so far.
func (d *Dovecot) Log() string {
	text, err := os.ReadFile(filepath.Join(d.Dir, "dovecot.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Login returns how a user signs in over TLS.
func (d *Dovecot) Login(user string) Login {
	return Login{Host: d.Host, Port: d.IMAPS, Security: imaptest.TLS, RootPEM: d.CA.RootPEM(), User: user, Password: d.config.Users[user]}
}
