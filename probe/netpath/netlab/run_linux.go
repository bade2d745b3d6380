package netlab

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strconv"
)

// Nobody is the number of the user and the group that [Lab.Run] runs programs as.
const Nobody = 65534

// A Result is what a program left.
type Result struct {
	Stdout, Stderr []byte
	ExitCode       int
}

// Run runs a program at the client, as nobody: without groups, capabilities, or a way to get some. It is killed when ctx or the process of
// the test ends; the former ends the test too. env is all of its environment, name a path that nobody can get at.
func (l *Lab) Run(ctx context.Context, env []string, name string, args ...string) Result {
	l.t.Helper()
	id := strconv.Itoa(Nobody)
	drop := []string{"--reuid", id, "--regid", id, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
		"--pdeathsig", "KILL", "--", name} // the signal comes with the end of the thread, which waits in At
	cmd := exec.CommandContext(ctx, l.setpriv, append(drop, args...)...)
	cmd.Env, cmd.Dir = env, "/"
	if env == nil {
		cmd.Env = []string{}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := l.At(Client, cmd.Run)
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		l.t.Fatalf("netlab: run %s: %v\n%s", name, err, stderr.Bytes())
	}
	return Result{stdout.Bytes(), stderr.Bytes(), cmd.ProcessState.ExitCode()}
}
