package main

import (
	"net"
	"strconv"

	"github.com/imapilot-project/imapilot/probe"
	"github.com/spf13/pflag"
)

// pathFlags say whether probe and preflight look which device on the way acts.
type pathFlags struct {
	path    bool
	noPath  bool
	control string
}

func (f *pathFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.path, "path", false, "show the path to each server, and look for devices on it that answer in the server's name, not only where a server cannot be reached")
	fs.BoolVar(&f.noPath, "no-path", false, "do not look which device on the way acts where a server cannot be reached")
	fs.StringVar(&f.control, "control", "", "compare the path with that to a server that is known to work, at `HOST:PORT`")
}

// apply puts the flags into the prober. The error is one of usage.
func (f pathFlags) apply(p *probe.Prober) error {
	if f.path && f.noPath {
		return usagef("--path and --no-path cannot be used together")
	}
	if f.control != "" {
		host, port, err := net.SplitHostPort(f.control)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || host == "" || n == 0 {
			return usagef("--control is not HOST:PORT: %s", f.control).withHint("imapilot probe imap.example.org --control mail.example.net:443")
		}
	}
	switch {
	case f.path:
		p.Path = probe.PathAlways
	case f.noPath:
		p.Path = probe.PathNever
	}
	p.Control = f.control
	return nil
}
