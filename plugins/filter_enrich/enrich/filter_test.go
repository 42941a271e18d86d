package enrich

import "testing"

func TestSmoke(t *testing.T) {
	if len(benchRecord) != 318 {
		t.Errorf("benchRecord has %d bytes", len(benchRecord))
	}
	f := newFilter(t, benchOptions...)
	t.Log(applyJSON(t, f, "app.checkout.log", benchRecord))
	f = newFilter(t, append(benchOptions, "rename msg=message,user_id=user.id,severity=level", "remove logger,stream",
		"level_from_status status", "durations latency=duration_ms,request_time=duration_ms")...)
	t.Log(applyJSON(t, f, "app.checkout.log", benchRecord))
	t.Log(applyJSON(t, f, "app.checkout.log", `{"a":1,"status":"404","latency":"56.2µs","service.name":"x"}`))
}
