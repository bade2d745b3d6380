// Package termguard keeps bubbletea from asking the terminal questions while the program starts.
//
// Merely linking bubbletea v1 runs an init function that writes a query for the background colour to the terminal and waits up to
// five seconds for the answer, whatever the command is. The query is left out where TERM is "dumb". So this package says that it
// is, while packages are initialised, and [Restore] takes it back.
//
// That works as long as this package is initialised before bubbletea. Go initialises packages in the order of
// their import paths, each as soon as all that it imports is ready. This one imports os alone; bubbletea waits for golang.org/x/sys
// among others, and the path of this module sorts before golang.org. The tests hold both conditions.
package termguard

import "os"

var (
	original, wasSet = os.LookupEnv("TERM")
	restored         bool
)

func init() { os.Setenv("TERM", "dumb") }

// Restore gives TERM its value back. It must be the first statement of main in every command that links bubbletea, before
// goroutines are started. Calling it again does nothing.
func Restore() {
	if restored {
		return
	}
	restored = true
	if wasSet {
		os.Setenv("TERM", original)
		return
	}
	os.Unsetenv("TERM")
}
