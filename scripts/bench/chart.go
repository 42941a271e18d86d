package main

import (
	"fmt"
	"html"
	"strings"
)

// Sizes in the chart, in pixels.
const (
	chartWidth = 1000
	barLeft    = 340 // where bars begin
	barFull    = 300 // the length of the longer bar of a row
	barHeight  = 15
	rowHeight  = 52
	chartTop   = 84
)

// Colours that differ in lightness too, for who does not see the hue. The background is given: pages have dark ones.
const (
	oursColour    = "#0b7285"
	builtinColour = "#ced4da"
)

// chart is an SVG of the rows that have a title: CPU per record, ours above the built-in's. In each row the longer bar
// has the full length: rows are a hundredfold apart, and what is compared is two bars.
func (r *report) chart() string {
	var b strings.Builder
	text := func(x, y int, attributes, format string, a ...any) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" %s>%s</text>`+"\n", x, y, attributes, html.EscapeString(fmt.Sprintf(format, a...)))
	}
	y := chartTop
	for _, res := range r.rows {
		title := ""
		for _, row := range rows {
			if row.name == res.Name {
				title = row.chart
			}
		}
		if title == "" || res.Skipped != "" || len(res.Measures) == 0 {
			continue
		}
		m := res.Measures[0]
		ours, builtin := max(0, m.Ours.Median), max(0, m.Builtin.Median)
		longer := max(ours, builtin, 1e-9)
		text(20, y+20, ``, "%s", title)
		bar := func(at int, value float64, colour, name string) {
			width := max(1, value/longer*barFull)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", barLeft, at, width, barHeight, colour)
			text(barLeft+int(width)+6, at+12, `font-size="12"`, "%s µs  %s", short(value), name)
		}
		bar(y, ours, oursColour, sideNames(res.OursSide.Name))
		bar(y+barHeight+2, builtin, builtinColour, sideNames(res.BuiltinSide.Name))
		if m.Ratio.Median > 0 {
			text(chartWidth-20, y+20, `text-anchor="end" font-weight="bold"`, "× %s", short(m.Ratio.Median))
		}
		y += rowHeight
	}
	if y == chartTop {
		text(20, y+16, ``, "Nothing was compared.")
		y += rowHeight
	}
	note := "Medians. A plugin's CPU is that of the process above a run without it. Bars compare within a row, not between rows."
	if len(r.rows) > 0 {
		last := r.rows[len(r.rows)-1]
		note = fmt.Sprintf("Fluent Bit %s, %s, %s. Medians; above a run without the plugin.", r.version, last.Time.Format("2006-01-02"), last.Machine)
	}
	text(20, y+12, `font-size="12" fill="#495057"`, "%s", note)
	text(20, y+28, `font-size="12" fill="#495057"`, "Bars compare within a row, not between rows. How it was measured, and every run: the files beside this one.")
	y += 44
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img" font-family="system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif" font-size="14" fill="#212529">
<title>CPU time per record: the plugins beside Fluent Bit's built-in ones</title>
<rect width="%[1]d" height="%[2]d" fill="#ffffff"/>
<text x="20" y="32" font-size="18" font-weight="bold">CPU time per record</text>
<rect x="20" y="46" width="12" height="12" fill="%[3]s"/><text x="38" y="57" font-size="13">these plugins</text>
<rect x="140" y="46" width="12" height="12" fill="%[4]s"/><text x="158" y="57" font-size="13">Fluent Bit's own</text>
<text x="%[5]d" y="57" font-size="13" text-anchor="end">ours / built-in</text>
`, chartWidth, y, oursColour, builtinColour, chartWidth-20)
	return head + b.String() + "</svg>\n"
}

// sideNames is what a configuration runs, for people.
func sideNames(conf string) string {
	if name, ok := map[string]string{
		"kafka_worker":         "kafka, Workers 1",
		"log_to_metrics_timer": "log_to_metrics, once a second",
		"whole":                "enrich, field_metrics, kafka_batch",
		"whole_builtin":        "lua, log_to_metrics, kafka",
		"whole_tuned":          "the same, tuned",
	}[conf]; ok {
		return name
	}
	return conf
}
