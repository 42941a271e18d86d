package enrich

import "testing"

func TestTemplate(t *testing.T) {
	f := func(text, tag, want string) {
		t.Helper()
		tmpl, err := parseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		got, ok := tmpl.append([]byte(">"), []byte(tag))
		if !ok {
			got = append(got[:0], "(absent)"...)
		} else {
			got = got[1:]
		}
		if string(got) != want {
			t.Errorf("%s for tag %q = %q, expected %q", text, tag, got, want)
		}
	}
	f("checkout", "a.b", "checkout")
	f("$TAG", "a.b", "a.b")
	f("$TAG", "", "(absent)")
	f("$TAG[0]", "a.b", "a")
	f("$TAG[1]", "a.b", "b")
	f("$TAG[2]", "a.b", "(absent)")
	f("$TAG[0]", "whole", "whole")
	f("$TAG[1]", "a..c", "(absent)")
	f("$TAG[2]", "a..c", "c")
	f("$TAG[1]", "a.", "(absent)")
	f("$TAG[0]", ".a", "(absent)")
	f("svc-$TAG[1]-$TAG[0]!", "a.b", "svc-b-a!")
	f("$TAG[0]$TAG[1]", "a.b", "ab")
	f("$TAG[0]$TAG[9]", "a.b", "(absent)")
	f("$TAGs", "a.b", "a.bs")
	f("$$TAG", "a.b", "$TAG")
	f("5$$", "a.b", "5$")
	f("$TAG[1000]", "a.b", "(absent)")
}
