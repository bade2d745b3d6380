package imapdial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// An sshVia carries each connection through an SSH connection of its own, which ends with it.
type sshVia struct {
	address string
	user    string
	base    DialFunc
}

func viaSSH(u *url.URL, base DialFunc) (DialFunc, error) {
	name := u.User.Username()
	if name == "" {
		me, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("find the user to sign in to %s as: %w", u.Hostname(), err)
		}
		name = me.Username
	}
	s := &sshVia{address: withPort(u, "22"), user: name, base: base}
	return s.dial, nil
}

func (s *sshVia) dial(ctx context.Context, network, target string) (net.Conn, error) {
	client, err := s.connect(ctx)
	if err != nil {
		return nil, &ViaError{s.address, err}
	}
	conn, err := client.DialContext(ctx, network, target)
	if err != nil {
		client.Close()
		return nil, &ViaError{s.address, err}
	}
	return &sshConn{Conn: conn, client: client}, nil
}

func (s *sshVia) connect(ctx context.Context) (*ssh.Client, error) {
	config, done, err := s.config()
	if err != nil {
		return nil, err
	}
	defer done()
	conn, err := s.base(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, s.address, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, channels, requests), nil
}

// config takes the host keys of known_hosts, and the keys of the agent and of the user's files. done ends the connection to the agent.
func (s *sshVia) config() (config *ssh.ClientConfig, done func(), err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, nil, err
	}
	check, err := knownhosts.New(filepath.Join(home, ".ssh", "known_hosts"))
	if err != nil {
		return nil, nil, fmt.Errorf("read the known hosts of SSH (connect once with ssh to fill them): %w", err)
	}
	config = &ssh.ClientConfig{User: s.user, HostKeyCallback: check}
	done = func() {}
	if socket := os.Getenv("SSH_AUTH_SOCK"); socket != "" {
		if conn, err := net.Dial("unix", socket); err == nil {
			done = func() { conn.Close() }
			config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
		}
	}
	if signers := keyFiles(filepath.Join(home, ".ssh")); len(signers) > 0 {
		config.Auth = append(config.Auth, ssh.PublicKeys(signers...))
	}
	if len(config.Auth) == 0 {
		return nil, nil, errors.New("there is no SSH agent and no key without passphrase in ~/.ssh")
	}
	return config, done, nil
}

// keyFiles returns the user's keys that need no passphrase.
func keyFiles(dir string) (signers []ssh.Signer) {
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		pem, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if signer, err := ssh.ParsePrivateKey(pem); err == nil {
			signers = append(signers, signer)
		}
	}
	return signers
}

// An sshConn gives a channel of SSH the deadlines that it lacks. One that passes ends the channel for good, which is what all deadlines of
// this package are for.
type sshConn struct {
	net.Conn
	client  *ssh.Client // ends with the channel
	mu      sync.Mutex  // guards what follows
	timer   *time.Timer
	expired bool
}

func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.explain(err)
}

func (c *sshConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.explain(err)
}

func (c *sshConn) explain(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.expired {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (c *sshConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	if t.IsZero() {
		return nil
	}
	c.timer = time.AfterFunc(time.Until(t), func() {
		c.mu.Lock()
		c.expired = true
		c.mu.Unlock()
		c.client.Close()
	})
	return nil
}

func (c *sshConn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *sshConn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

func (c *sshConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.Conn.Close()
	return c.client.Close()
}
