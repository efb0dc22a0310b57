// Package pppdfile reads the notation that pppd's files share: options
// (/etc/ppp/options, /etc/ppp/peers/*) and secrets (/etc/ppp/chap-secrets), pppd(8).
//
//	words, unfinished := pppdfile.Words("sio4 station \"pass word\" * # a comment")
//
// What the words mean is the caller's.
package pppdfile

import "strings"

// Word is one word of a file.
type Word struct {
	Text         string // without quotation marks and backslashes
	Line, Column int    // from 1
	First        bool   // the first of its line
}

// Words cuts data into words as pppd does: white space separates them, " and ' quote, a backslash takes the next character
// as it is (and joins lines at a line's end), # outside of quotes ends the
// word and starts a comment. A quote that is still open at the end of data is
// reported by the line its word began in (0: none).
func Words(data string) (words []Word, unfinished int) {
	c := cursor{data: data, line: 1, column: 1}
	first := true
	for !c.end() {
		switch b := c.peek(); {
		case b == '\n':
			c.next()
			first = true
		case isSpace(b):
			c.next()
		case b == '\\' && strings.HasPrefix(c.data[c.at:], "\\\n"):
			c.next()
			c.next()
		case b == '#':
			for !c.end() && c.peek() != '\n' {
				c.next()
			}
		default:
			w := Word{Line: c.line, Column: c.column, First: first}
			first = false
			var open bool
			w.Text, open = c.word()
			if open {
				unfinished = w.Line
			}
			words = append(words, w)
		}
	}
	return words, unfinished
}

// cursor goes through a text and knows where it is.
type cursor struct {
	data         string
	at           int
	line, column int
}

func (c *cursor) end() bool  { return c.at >= len(c.data) }
func (c *cursor) peek() byte { return c.data[c.at] }

func (c *cursor) next() byte {
	b := c.data[c.at]
	c.at++
	c.column++
	if b == '\n' {
		c.line++
		c.column = 1
	}
	return b
}

// word reads one word, from its first character on.
func (c *cursor) word() (text string, open bool) {
	var b strings.Builder
	var quote byte
	for !c.end() {
		switch p := c.peek(); {
		case p == '\\':
			c.next()
			if !c.end() {
				c.escape(&b)
			}
			continue
		case quote != 0 && p == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(p)
		case p == '"' || p == '\'':
			quote = p
		case isSpace(p) || p == '\n' || p == '#':
			return b.String(), false
		default:
			b.WriteByte(p)
		}
		c.next()
	}
	return b.String(), quote != 0
}

// escape reads what follows a backslash.
func (c *cursor) escape(b *strings.Builder) {
	first := c.peek()
	if v, ok := digit(first, 8); ok { // up to three octal digits
		c.next()
		c.number(b, v, 8, 2)
		return
	}
	c.next()
	switch first {
	case '\n':
	case 'x': // up to two hexadecimal digits
		c.number(b, 0, 16, 2)
	case 'a':
		b.WriteByte('\a')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 's':
		b.WriteByte(' ')
	case 't':
		b.WriteByte('\t')
	default:
		b.WriteByte(first)
	}
}

// number reads up to n more digits and writes the octet they stand for.
func (c *cursor) number(b *strings.Builder, value, base, n int) {
	for ; n > 0 && !c.end(); n-- {
		v, ok := digit(c.peek(), base)
		if !ok {
			break
		}
		value = value*base + v
		c.next()
	}
	b.WriteByte(byte(value))
}

func digit(b byte, base int) (int, bool) {
	v := 99
	switch {
	case '0' <= b && b <= '9':
		v = int(b - '0')
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		v = int(b|0x20-'a') + 10
	}
	return v, v < base
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' }
