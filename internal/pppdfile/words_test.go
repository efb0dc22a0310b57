package pppdfile

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"a b\tc\n":                "a|b|c",
		"a b\nc":                  "a|b;c",
		"# nothing\n\n  a # b\nc": "a;c",
		`"a b" 'c "d"' e`:         `a b|c "d"|e`,
		`a\ b \"c\" \\`:           `a b|"c"|\`,
		`LAB\\sio4 * "pa\"ss"`:    `LAB\sio4|*|pa"ss`,
		"a \\\n b\nc":             "a|b;c",
		"a\\\nb":                  "ab",
		`\x41\x4g \101\0017 \s`:   "A\x04g|A\x017| ",
		`""`:                      "",
		`a"b c"d`:                 "ab cd",
		"pa#ss":                   "pa",
		`"pa#ss"`:                 "pa#ss",
		"\"a\nb\" c\nd":           "a\nb|c;d",
		"a\r\nb":                  "a;b",
		`a\`:                      "a",
		"":                        "-",
		"# only":                  "-",
	} {
		words, _ := Words(in)
		got := "-"
		for i, w := range words {
			switch {
			case i == 0:
				got = w.Text
			case w.First:
				got += ";" + w.Text
			default:
				got += "|" + w.Text
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	words, _ := Words("a\n  bb \"c\nd\" e\n# x\nf")
	for i, want := range []struct{ line, column int }{{1, 1}, {2, 3}, {2, 6}, {3, 4}, {5, 1}} {
		if words[i].Line != want.line || words[i].Column != want.column {
			t.Errorf("word %q at %d:%d, want %d:%d", words[i].Text, words[i].Line, words[i].Column, want.line, want.column)
		}
	}
	if _, open := Words("a\n\"b c\nd"); open != 2 {
		t.Errorf("an open quote is reported in line %d, want 2", open)
	}
}

func FuzzWords(f *testing.F) {
	f.Add("a b\n\"c d\" 'e' \\f # g\n")
	f.Add("\\")
	f.Add("\\x\\1\\18\"")
	f.Fuzz(func(t *testing.T, s string) {
		words, open := Words(s)
		lines := 1 + strings.Count(s, "\n")
		if open > lines {
			t.Fatalf("an open quote in line %d of %d", open, lines)
		}
		// Quoted, each word is read back as it was.
		var b strings.Builder
		for _, w := range words {
			if w.Line < 1 || w.Line > lines || w.Column < 1 {
				t.Fatalf("word %q at %d:%d of %d lines", w.Text, w.Line, w.Column, lines)
			}
			b.WriteString(quoteWord(w.Text))
			b.WriteByte(' ')
		}
		again, open := Words(b.String())
		if open != 0 || len(again) != len(words) {
			t.Fatalf("%d words became %d", len(words), len(again))
		}
		for i := range words {
			if again[i].Text != words[i].Text {
				t.Fatalf("%q became %q", words[i].Text, again[i].Text)
			}
		}
	})
}

// quoteWord writes s as one word that Words reads back.
func quoteWord(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
