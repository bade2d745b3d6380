package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imapilot-project/imapilot/probe/render/layout"
	"golang.org/x/term"
)

// A format is what -o and the extension of a report choose.
type format string

const (
	formatText     format = "text"
	formatJSON     format = "json"
	formatNDJSON   format = "ndjson"
	formatMarkdown format = "markdown"
	formatHTML     format = "html"
	formatJUnit    format = "junit"
	formatSARIF    format = "sarif"
)

var extensions = map[string]format{
	".txt": formatText, ".json": formatJSON, ".ndjson": formatNDJSON, ".md": formatMarkdown, ".html": formatHTML,
	".xml": formatJUnit, ".sarif": formatSARIF,
}

// formatOf returns the format that a report's file name asks for.
func formatOf(path string) (format, error) {
	f, ok := extensions[strings.ToLower(filepath.Ext(path))]
	if !ok {
		return "", usagef("report %s: the extension says no format", path).withHint("use .txt, .json, .ndjson, .md, .html, .xml (JUnit) or .sarif")
	}
	return f, nil
}

// A document is a result in the formats it can take. What it lacks has been written as a stream already.
type document map[format]func(w io.Writer, l look) error

// A look is how text is drawn. It is made of the same fields as the Options of sync's render package.
type look struct {
	Color, ASCII, Verbose bool
	Width                 int // columns
}

// paperWidth is how wide text is that does not go to a terminal.
const paperWidth = 80

// supports refuses formats that a command's result does not take, before any work is done.
func (a *app) supports(command string, formats ...format) error {
	if !slices.Contains(formats, a.global.output) {
		return usagef("%s has no %s output", command, a.global.output).withHint("accepted: -o %s", strings.ReplaceAll(joined(formats), ", ", ", -o "))
	}
	for _, path := range a.global.reports {
		if f, _ := formatOf(path); !slices.Contains(formats, f) {
			return usagef("report %s: %s has no %s output", path, command, f).withHint("accepted formats: %s", joined(formats))
		}
	}
	return nil
}

// publish writes d to stdout in the format of -o.
func (a *app) publish(d document) error {
	write := d[a.global.output]
	if write == nil {
		return nil
	}
	if err := write(a.stdout, a.look()); err != nil {
		return &fileError{fmt.Errorf("writing to stdout: %w", err)}
	}
	return nil
}

// report writes d to the files of --report.
func (a *app) report(d document) error {
	for _, path := range a.global.reports {
		f, _ := formatOf(path)
		write := d[f]
		if write == nil {
			continue
		}
		var b bytes.Buffer
		if err := write(&b, look{Verbose: true, ASCII: a.global.ascii, Width: paperWidth}); err != nil {
			return &fileError{fmt.Errorf("report %s: %w", path, err)}
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			return &fileError{fmt.Errorf("report %s: %w", path, withoutPath(err))}
		}
	}
	return nil
}

// deliver writes d to stdout and the report files and returns the error that carries code, the exit code of the result. A file that
// cannot be written does not hide a result that was bad already.
func (a *app) deliver(d document, code int) error {
	err := a.publish(d)
	if reportErr := a.report(d); err == nil {
		err = reportErr
	}
	if err != nil && code != exitOK {
		return &codedError{code, err}
	}
	if err != nil {
		return err
	}
	return status(code)
}

// look is how text goes to stdout.
func (a *app) look() look {
	l := look{ASCII: a.global.ascii, Verbose: a.global.verbose, Width: paperWidth, Color: a.global.color == "always"}
	if !isTerminal(a.stdout) {
		return l
	}
	if w, _, err := term.GetSize(int(a.stdout.Fd())); err == nil && w > 0 {
		l.Width = w
	}
	// https://no-color.org: any value but the empty one.
	if a.global.color == "auto" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		l.Color = true
	}
	return l
}

// encodeJSON writes v as one object, on one line without indent. The results of the engines have functions of their own for this.
func encodeJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// warn says something on stderr that does not stop the command.
func (a *app) warn(format string, args ...any) {
	text := layout.Clean(a.masked(fmt.Sprintf(format, args...)))
	a.log.Warn(text)
	if !a.global.quiet {
		fmt.Fprintf(a.stderr, "warning: %s\n", text)
	}
}
