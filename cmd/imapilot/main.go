package main

import (
	"context"
	"os"

	"github.com/imapilot-project/imapilot/tui/termguard"
)

func main() {
	termguard.Restore()
	ctx, stop := withSignals(context.Background())
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, release: stop}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
