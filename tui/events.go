package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/imapilot-project/imapilot/probe/imapdial/wire"
	"github.com/imapilot-project/imapilot/probe/render/layout"
	mailsync "github.com/imapilot-project/imapilot/sync"
)

// describe tells an event in a line, or "" for those that the rest of the screen shows.
func describe(e mailsync.Event) string {
	switch d := e.Data.(type) {
	case mailsync.Endpoint:
		return fmt.Sprintf("%s  signed in with %s, %s", sideWord(d.Side), wire.Printable(d.Auth), wire.Printable(d.Security))
	case mailsync.FolderStart:
		text := wire.Printable(d.Dest) + "  "
		if d.Create {
			text += "created, "
		}
		return text + layout.Counted(d.ToCopy, "message", "messages") + " to copy"
	case mailsync.FolderEnd:
		text := wire.Printable(d.Dest) + "  done, " + layout.Counted(d.Messages.Copied, "message", "messages") + " copied"
		if d.FlagsLost > 0 {
			text += ", " + layout.Counted(d.FlagsLost, "message has", "messages have") + " flags that the destination cannot keep"
		}
		return text
	case mailsync.Failure:
		return failureLine(d)
	case mailsync.Throttled:
		text := "the " + sideWord(d.Side) + " asks to slow down; waiting " + layout.Duration(time.Duration(d.WaitMS)*time.Millisecond)
		return text + quoted(d.ServerText)
	case mailsync.Reconnected:
		return "connected again to the " + sideWord(d.Side) + ": " + wire.Printable(d.Reason)
	}
	return ""
}

// quoted attributes what a server said; it is empty when it said nothing.
func quoted(said string) string {
	if said = strings.TrimSpace(wire.Printable(said)); said == "" {
		return ""
	}
	return "; the server said: " + said
}

func sideWord(side string) string {
	if side == sideFlag[dest] {
		return sideName[dest]
	}
	return sideName[source]
}

// failureLine says what could not be copied, and why.
func failureLine(f mailsync.Failure) string {
	text := wire.Printable(f.Folder)
	if f.UID != 0 {
		text += fmt.Sprintf(", message %d", f.UID)
	}
	text += ": " + map[string]string{"fetch": "the source did not deliver it", "append": "the destination refused it",
		"store": "the destination refused its flags", "create": "the destination did not create the folder", "select": "the folder could not be opened"}[f.Step]
	switch {
	case f.Code == "stand-in":
		text += ", but a substitute"
	case f.Code != "":
		text += " (" + wire.Printable(f.Code) + ")"
	}
	return text + quoted(f.ServerText)
}
