package tray

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"goppptp/internal/control"
)

// verbs returns the verbs of a format by the argument each is for.
func verbs(t *testing.T, format string) []string {
	t.Helper()
	var out []string
	next := 1
	for _, m := range regexp.MustCompile(`%(?:\[(\d)\])?([sd])`).FindAllStringSubmatch(format, -1) {
		at := next
		if m[1] != "" {
			at = int(m[1][0] - '0')
		}
		for len(out) < at {
			out = append(out, "")
		}
		out[at-1] = m[2]
		next = at + 1
	}
	return out
}

func TestTableIsComplete(t *testing.T) {
	for key, row := range table {
		want := verbs(t, row[0])
		if slices.Contains(want, "") {
			t.Errorf("%s: %q leaves an argument out", key, row[0])
		}
		for i, text := range row {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: nothing in %s", key, languages[i])
			}
			if got := verbs(t, text); !slices.Equal(got, want) {
				t.Errorf("%s: %q has the verbs %q, %q has %q", key, text, got, row[0], want)
			}
			if i > 0 && text == row[0] && strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz") && !untranslated[key] {
				t.Errorf("%s: %s is as in English: %q", key, languages[i], text)
			}
		}
	}
	if len(languages) != len(table["menu.quit"]) {
		t.Errorf("%d languages, %d columns", len(languages), len(table["menu.quit"]))
	}
}

// untranslated are commands, and what consists of arguments.
var untranslated = map[string]bool{"state.bad.fix": true, "daemon.gone.fix": true, "notice.up.body": true}

// TestEveryKeyIsThere says each thing that is made of a value.
func TestEveryKeyIsThere(t *testing.T) {
	for _, stage := range []control.Stage{control.StageResolve, control.StageTCP, control.StageControl, control.StageCall, control.StageLCP,
		control.StageAuth, control.StageMPPE, control.StageAddress, control.StageRoutes, control.StageUp} {
		if _, ok := table["stage."+string(stage)]; !ok {
			t.Errorf("stage %s has no text", stage)
		}
	}
	for _, r := range []control.Reason{control.ReasonFailed, control.ReasonUsage, control.ReasonUnreachable, control.ReasonAuth, control.ReasonMPPE,
		control.ReasonGRE, control.ReasonConflict, control.ReasonPermission, control.ReasonEnding} {
		if _, ok := table["reason."+string(r)]; !ok {
			t.Errorf("reason %s has no text", r)
		}
	}
	for _, l := range []int{0, 1} {
		texts := &Texts{languages[l], l}
		for kind := NoticeUp; kind <= NoticeDaemonGone; kind++ {
			summary, body := Words(Notice{Kind: kind, Profile: "lab", Status: up(), Error: &control.Error{Reason: control.ReasonGRE, Text: "t"}}, texts)
			if summary == "" || body == "" || strings.Contains(summary+body, "notice.") || strings.Contains(summary+body, "%!") {
				t.Errorf("%s, notice %d: %q, %q", languages[l], kind, summary, body)
			}
		}
	}
}

func TestTextsFor(t *testing.T) {
	for _, c := range []struct{ all, messages, lang, want string }{
		{"", "", "", "en"}, {"", "", "C", "en"}, {"", "", "ko_KR.UTF-8", "ko"}, {"", "", "ko", "ko"}, {"", "", "KO_kr", "ko"},
		{"", "", "de_DE.UTF-8", "en"}, {"C", "ko_KR", "ko_KR", "en"}, {"", "en_US.UTF-8", "ko_KR.UTF-8", "en"}, {"", "", "kok_IN", "en"},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := TextsFor(func(k string) string { return env[k] }).Language; got != c.want {
			t.Errorf("%v: %s", c, got)
		}
	}
}

func TestReasonAndFix(t *testing.T) {
	korean := TextsFor(func(string) string { return "ko" })
	e := &control.Error{Reason: control.ReasonAuth, Text: "E=691", Hint: "do this"}
	for _, c := range []struct {
		got, want string
	}{
		{English.Reason(e), "E=691"}, {English.Fix(e), "→ do this"},
		{korean.Reason(e), "인증 거부: E=691"}, {korean.Fix(e), "→ 사용자 이름과 비밀번호를 확인하세요"},
		{English.Reason(&control.Error{Reason: control.ReasonGRE}), "no GRE comes back"},
		{korean.Reason(&control.Error{Reason: "new"}), "실패"},
		{English.Fix(&control.Error{Reason: control.ReasonFailed}), ""},
		{korean.Fix(&control.Error{Reason: control.ReasonFailed, Hint: "do this"}), "→ do this"},
		{English.Stage("new"), "looking up the gateway"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
