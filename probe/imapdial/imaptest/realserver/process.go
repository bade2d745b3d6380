package realserver

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	startLimit = 20 * time.Second // after which a server that does not answer counts as broken
	// stopLimit is how long a server may take to end before it is killed. Dovecot always takes a second; it loses nothing, since
	// what it was given is on disk, and all of that goes with its folder.
	stopLimit = 10 * time.Second
)

// supervisor starts a server and waits for it. It ends the server when its own standard input ends, which is when the test's process
// is gone, however it went. The trap lets it outlive the signal that stop sends to all.
const supervisor = `
exec 3<&0
trap : TERM
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill "$server"; } 2>/dev/null & watcher=$!
wait "$server"
wait "$server"
kill "$watcher" 2>/dev/null
`

// A process is a server in the foreground, below a shell that supervises it.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   string // file with what it wrote to standard output and error
	ended chan struct{}
	once  sync.Once
}

// start starts a server as its owner, with env beside a PATH. It is stopped when the test ends.
func start(t testing.TB, o owner, dir string, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(program), log: filepath.Join(dir, "output.log"), ended: make(chan struct{})}
	output, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	p.cmd = exec.Command("/bin/sh", append([]string{"-c", supervisor, "sh", program}, args...)...)
	p.cmd.Dir = dir
	p.cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = output, output
	o.as(p.cmd, true)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop ends the server and waits for it. Its processes are those of the group that start made; Dovecot's master, asked alone, lets
// one of them live for a second.
func (p *process) stop() {
	p.once.Do(func() {
		p.signal(false)
		select {
		case <-p.ended:
		case <-time.After(stopLimit):
			p.signal(true)
			<-p.ended
		}
		p.stdin.Close()
	})
}

// signal ends all processes of the server, unless it has ended and its number may be another's.
func (p *process) signal(atOnce bool) {
	select {
	case <-p.ended:
	default:
		terminate(p.cmd.Process.Pid, atOnce)
	}
}

// await tries until it works. A server that has ended never will.
func (p *process) await(t testing.TB, what string, try func() error) {
	t.Helper()
	limit := time.After(startLimit)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-p.ended:
		case <-limit:
		case <-time.After(5 * time.Millisecond):
			continue
		}
		output, _ := os.ReadFile(p.log)
		t.Fatalf("wait for %s of %s: %v\n%s", what, p.name, err, output)
	}
}

// awaitGreetings waits until both ports of host greet, and checks that the one for STARTTLS takes passwords in the clear only where it should.
func (p *process) awaitGreetings(t testing.TB, imaps, imap uint16, cleartext bool) {
	t.Helper()
	p.await(t, "the greeting on the TLS port", func() error {
		_, err := peerCertificate(host, imaps)
		return err
	})
	var line string
	p.await(t, "the greeting on the STARTTLS port", func() (err error) {
		line, err = greeting(host, imap)
		return err
	})
	if disabled := strings.Contains(line, "LOGINDISABLED"); disabled == cleartext {
		t.Fatalf("%s greets with %q; LOGINDISABLED in it: %t", p.name, line, disabled)
	}
}

// greeting returns the first line of a port without TLS.
func greeting(host string, port uint16) (string, error) {
	conn, err := net.DialTimeout("tcp", address(host, port), startLimit)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return firstLine(conn)
}

// peerCertificate returns the certificate of a port with TLS, in DER, once it has greeted. It verifies nothing: whoever uses the
// server does that, with the CA they trust.
func peerCertificate(host string, port uint16) ([]byte, error) {
	dialer := &net.Dialer{Timeout: startLimit}
	conn, err := tls.DialWithDialer(dialer, "tcp", address(host, port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := firstLine(conn); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0].Raw, nil
}

func firstLine(conn net.Conn) (string, error) {
	conn.SetDeadline(time.Now().Add(startLimit))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "* OK") {
		err = fmt.Errorf("greeting %q", line)
	}
	return strings.TrimSpace(line), err
}

func address(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
