// Command unguarded links bubbletea without termguard: what the tests compare with.
package main

import (
	"fmt"

	_ "github.com/charmbracelet/bubbletea"
)

func main() { fmt.Println("started") }
