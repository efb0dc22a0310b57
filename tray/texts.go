package tray

import (
	"fmt"
	"os"
	"strings"
	"time"

	"goppptp/internal/control"
)

// Texts says things in one language.
type Texts struct {
	Language string // "en", "ko", …
	column   int
}

// languages are the columns of the table of texts. To add one: name it here
// and give every row one more text, with the same verbs in it (%[2]s where the
// order differs). A test says what is missing.
var languages = []string{"en", "ko"}

// English is the language where no other is asked for.
var English = &Texts{"en", 0}

// TextsFor returns the texts of the language that the environment asks for by
// LC_ALL, LC_MESSAGES or LANG, the first that is set, English otherwise.
func TextsFor(getenv func(string) string) *Texts {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		v := getenv(name)
		if v == "" {
			continue
		}
		code, _, _ := strings.Cut(strings.ToLower(v), ".")
		code, _, _ = strings.Cut(code, "_")
		for i, l := range languages {
			if code == l {
				return &Texts{l, i}
			}
		}
		return English
	}
	return English
}

// EnvironmentTexts is TextsFor with this process's environment.
func EnvironmentTexts() *Texts { return TextsFor(os.Getenv) }

// Say returns the text of key with args in it.
func (t *Texts) Say(key string, args ...any) string {
	row, ok := table[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return row[t.column]
	}
	return fmt.Sprintf(row[t.column], args...)
}

// Count says how many of key there are: "1 route", "3 routes".
func (t *Texts) Count(key string, n int) string {
	if n == 1 {
		return t.Say("count."+key+".one", n)
	}
	return t.Say("count."+key, n)
}

// Duration says how long something has lasted.
func (t *Texts) Duration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return t.Say("time.seconds", max(0, int(d/time.Second)))
	case d < time.Hour:
		return t.Say("time.minutes", int(d/time.Minute))
	case d < 48*time.Hour:
		return t.Say("time.hours", int(d/time.Hour), int(d%time.Hour/time.Minute))
	}
	return t.Say("time.days", int(d/(24*time.Hour)))
}

// Stage says what connecting is about.
func (t *Texts) Stage(s control.Stage) string {
	if _, ok := table["stage."+string(s)]; !ok {
		return t.Say("stage.resolve")
	}
	return t.Say("stage." + string(s))
}

// Reason says what went wrong: the kind of it in the user's language, and the
// daemon's own words.
func (t *Texts) Reason(e *control.Error) string {
	kind := e.Reason
	if _, ok := table["reason."+string(kind)]; !ok {
		kind = control.ReasonFailed
	}
	if t.Language == "en" && e.Text != "" {
		return e.Text
	}
	if e.Text == "" {
		return t.Say("reason." + string(kind))
	}
	return t.Say("reason."+string(kind)) + ": " + e.Text
}

// Fix says what mends it. The daemon's hint knows more than the table, and
// speaks English.
func (t *Texts) Fix(e *control.Error) string {
	if t.Language == "en" && e.Hint != "" {
		return "→ " + e.Hint
	}
	if _, ok := table["fix."+string(e.Reason)]; ok {
		return "→ " + t.Say("fix."+string(e.Reason))
	}
	if e.Hint != "" {
		return "→ " + e.Hint
	}
	return ""
}
