package batch

import (
	"strings"
	"testing"
)

// What records become is checked when the instance starts, each error with its option.
func TestPayloadConfigErrors(t *testing.T) {
	f := func(want string, options ...string) {
		t.Helper()
		_, _, err := parseConfig(getter(options...))
		if err == nil {
			t.Errorf("%v was accepted", options)
		} else if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v\nwant %s…", options, err, want)
		}
	}
	f(`option topic: "a/b": "a/b" must be 1 to 249 of the characters`, "topic", "a/b")
	f(`option topic: "__x-$TAG": must not begin with __`, "topic", "__x-$TAG")
	f(`option topic: "logs-$": behind $ must be`, "topic", "logs-$")
	f(`option topic_key: "$a[": field path`, "topic_key", "$a[")
	f(`option partitioner: "random": must be one of consistent_random, murmur2_random, round_robin`, "partitioner", "random")
	f(`option raw_log_key: must name the field`, "format", "raw")
	f(`option format: "xml": must be one of json, msgpack, raw`, "format", "xml")
	f(`option tag_key: "@timestamp": must not be timestamp_key as well`, "tag_key", "@timestamp")
	f(`option record_id_key: "id": needs format json`, "record_id_key", "id", "format", "msgpack")
	f(`option record_id_key: "id": needs a record_id, which is off`, "record_id_key", "id", "record_id", "off")
	f(`option record_id_key: "tag": must not be tag_key or timestamp_key as well`, "record_id_key", "tag", "tag_key", "tag")
	f(`option record_id_key: "event_group": must be another name`, "record_id_key", "event_group", "include_metadata", "on")
	f(`option tag_key: "event_group": must be another name`, "tag_key", "event_group", "include_metadata", "on")
	f(`option timestamp_key: "event_metadata": must be another name`, "timestamp_key", "event_metadata", "include_metadata", "on")
	f(`option exclude_fields: "$a['b']": $a['b'] is inside another field`, "exclude_fields", "$a['b']")
	f(`option exclude_fields: "a,$[": field path`, "exclude_fields", "a,$[")
	f(`option header_fields: "l=$a[": l: field path`, "header_fields", "l=$a[")
	f(`option headers: the header record_id is written by`, "headers", "record_id=1")
	f(`option header_fields: "event_time=$a": the header event_time is written for`, "header_fields", "event_time=$a")
	f(`option header_fields: "traceparent=$a": the header traceparent is written by`, "header_fields", "traceparent=$a", "trace_headers", "on")
	f(`option headers: must be`, "headers", "a="+strings.Repeat("x", maxStaticHeaderBytes))
	f(`option record_id: "$a[": field path`, "record_id", "$a[")
	f(`option record_id: "on": must be auto, off or a field such as $event_id`, "record_id", "on")
	f(`option record_time_window: "1s": must be from`, "record_time_window", "1s")

	ok := func(options ...string) {
		t.Helper()
		if _, _, err := parseConfig(getter(options...)); err != nil {
			t.Errorf("%v: %v", options, err)
		}
	}
	ok("headers", "record_id=1", "record_id", "off")
	ok("header_fields", "traceparent=$traceparent")
	ok("tag_key", "@timestamp", "add_timestamp", "off")
	ok("tag_key", "event_group")
	ok("raw_log_key", "log") // of no use without format raw, and no harm
}
