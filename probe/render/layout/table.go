package layout

import "strings"

// A Table lines its cells up in columns. Columns whose cells are all empty are left out.
type Table struct {
	Columns []Column
	rows    [][]Span
}

// A Column says how its cells are set.
type Column struct {
	Title string
	Right bool    // set right: numbers
	Cut   Cutting // how cells give way when the line gets too wide
	Min   int     // how far they give way, in columns; 0 means 8
}

// Cutting is how text is shortened.
type Cutting uint8

// The ways of shortening.
const (
	Never  Cutting = iota
	End            // sentences
	Middle         // names: their ends tell them apart
)

// narrowest is how far a column gives way unless it says otherwise: less of a name says nothing.
const narrowest = 8

// Row adds a row; cells that are missing are empty.
func (t *Table) Row(cells ...Span) {
	for len(cells) < len(t.Columns) {
		cells = append(cells, Span{})
	}
	t.rows = append(t.rows, cells)
}

// Table adds t to the page, each line behind indent, with a line of titles if there are any.
func (p *Page) Table(t *Table, indent string) {
	rows := t.rows
	if title := t.titles(); title != nil {
		rows = append([][]Span{title}, rows...)
	}
	widths := t.widths(p.Columns() - Width(indent))
	for _, row := range rows {
		spans := []Span{Plain(indent)}
		gap := ""
		for i, c := range t.Columns {
			if widths[i] == 0 {
				continue
			}
			text := p.fit(row[i].Text, widths[i], c)
			spans = append(spans, Plain(gap), Span{text, row[i].Tone})
			gap = "  "
		}
		p.Line(spans...)
	}
}

func (t *Table) titles() []Span {
	var row []Span
	any := false
	for _, c := range t.Columns {
		row = append(row, Span{c.Title, Muted})
		any = any || c.Title != ""
	}
	if !any {
		return nil
	}
	return row
}

// fit sets text into a cell.
func (p *Page) fit(text string, width int, c Column) string {
	switch c.Cut {
	case End:
		text = p.Cut(text, width)
	case Middle:
		text = p.CutMiddle(text, width)
	}
	if c.Right {
		return PadLeft(text, width)
	}
	return Pad(text, width)
}

// widths returns the width of each column, 0 for one that is empty, so that the line fits into room if the columns can give way
// so far. The widest gives way first.
func (t *Table) widths(room int) []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		for _, row := range t.rows {
			widths[i] = max(widths[i], Width(row[i].Text))
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], Width(c.Title))
		}
	}
	for over := total(widths) - room; over > 0; over-- {
		widest := -1
		for i, c := range t.Columns {
			if c.Cut != Never && widths[i] > max(c.Min, narrowest) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// total is the width of a line with columns of these widths, and two blanks between them.
func total(widths []int) int {
	sum, shown := 0, 0
	for _, w := range widths {
		if w > 0 {
			sum, shown = sum+w, shown+1
		}
	}
	return sum + 2*max(0, shown-1)
}

// Join puts the parts that are not empty together, with sep between them.
func Join(sep string, parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, sep)
}
