package sim

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// WriteHTML writes a page with the curves and the tables. It loads nothing from anywhere.
func (r *Report) WriteHTML(w io.Writer) error {
	var b strings.Builder
	name := html.EscapeString(r.Trace)
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"+
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"+
		"<title>%s: miss ratios</title>\n<style>%s%s</style>\n</head>\n<body>\n<main>\n", name, chartStyle, pageStyle)
	fmt.Fprintf(&b, "<h1>%s</h1>\n<p>%s.</p>\n", name, html.EscapeString(strings.TrimPrefix(r.Headline(), r.Trace+": ")))
	charts := r.charts()
	r.writeLegend(&b, charts[0])
	for _, c := range charts {
		b.WriteString("<figure>\n")
		c.write(&b, false)
		b.WriteString("<figcaption>Point at the curves for values.</figcaption>\n</figure>\n")
	}
	if len(r.CacheSizes()) > openTables {
		r.writeOverview(&b, charts[0])
	}
	for _, size := range r.CacheSizes() {
		r.writeHTMLTable(&b, size)
	}
	b.WriteString("</main>\n")
	if err := r.writeScript(&b, charts); err != nil {
		return err
	}
	b.WriteString("</body>\n</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeLegend writes a button for each policy, which brings its curve out.
func (r *Report) writeLegend(b *strings.Builder, c *chart) {
	b.WriteString("<div class=\"legend\">\n")
	for i, curve := range c.curves {
		policy := html.EscapeString(curve.policy)
		fmt.Fprintf(b, `<button type="button" aria-pressed="false" data-policy="%s"><svg class="%s" viewBox="0 0 22 8"><path d="M0 4h22"/></svg>%s</button>`+"\n",
			policy, pens(i), policy)
	}
	b.WriteString("</div>\n")
}

// capitalised is a header of the page's form: "Byte miss" of "BYTE MISS".
func capitalised(title string) string { return title[:1] + strings.ToLower(title[1:]) }

// openTables is how many tables are shown at once. If there are more, one shows what is most important of all.
const openTables = 4

// writeOverview writes a table of the miss ratios of all sizes.
func (r *Report) writeOverview(b *strings.Builder, c *chart) {
	b.WriteString("<details open><summary>Miss ratios at all sizes</summary>\n<div class=\"wide\"><table>\n<tr><th>Policy")
	for _, size := range c.sizes {
		text := grouped(size)
		if c.bytes {
			text = bytesText(size)
		}
		fmt.Fprintf(b, "<th>%s", text)
	}
	b.WriteString("</tr>\n")
	for _, curve := range c.curves {
		fmt.Fprintf(b, "<tr><td>%s", html.EscapeString(curve.policy))
		for _, miss := range curve.misses {
			if math.IsNaN(miss) {
				b.WriteString("<td>-")
			} else {
				fmt.Fprintf(b, "<td>%.3f", miss)
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table></div></details>\n")
}

func (r *Report) writeHTMLTable(b *strings.Builder, size uint64) {
	open := ""
	if len(r.CacheSizes()) <= openTables {
		open = " open"
	}
	columns := r.tableColumns()
	fmt.Fprintf(b, "<details%s><summary>%s</summary>\n<div class=\"wide\"><table>\n<tr><th>Policy", open, html.EscapeString(r.sizeLine(size)))
	for _, c := range columns {
		b.WriteString("<th>" + capitalised(c.title))
	}
	b.WriteString("</tr>\n")
	for _, p := range r.ranking(size) {
		b.WriteString("<tr><td>" + html.EscapeString(p.Policy))
		if p.Error != "" {
			fmt.Fprintf(b, "<td colspan=\"%d\" class=\"error\">%s</tr>\n", len(columns), html.EscapeString(p.Error))
			continue
		}
		for _, c := range columns {
			b.WriteString("<td>" + c.cell(&p))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table></div></details>\n")
}

// writeScript writes the values of the curves and what shows them.
func (r *Report) writeScript(b *strings.Builder, charts []*chart) error {
	type data struct {
		X        []float64    `json:"x"`
		Sizes    []string     `json:"sizes"`
		Policies []string     `json:"policies"`
		Misses   [][]*float64 `json:"misses"`
	}
	all := make([]data, len(charts))
	for i, c := range charts {
		for _, size := range c.sizes {
			all[i].X = append(all[i].X, c.x(size))
			all[i].Sizes = append(all[i].Sizes, r.sizeLine(size))
		}
		for _, curve := range c.curves {
			all[i].Policies = append(all[i].Policies, curve.policy)
			all[i].Misses = append(all[i].Misses, curve.known())
		}
	}
	text, err := json.Marshal(all) // which writes < as \u003c
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "<script>\nconst charts=%s;\n%s</script>\n", text, pageScript)
	return nil
}

// known are the values with four digits, nil where there is none.
func (c *curve) known() []*float64 {
	all := make([]*float64, len(c.misses))
	for i, miss := range c.misses {
		if !math.IsNaN(miss) {
			rounded := math.Round(miss*1e4) / 1e4
			all[i] = &rounded
		}
	}
	return all
}

const pageStyle = `
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.5rem 0;overflow-wrap:anywhere}
summary{font-weight:600;margin:1rem 0 .5rem;cursor:pointer}
p{margin:.25rem 0 1rem;color:var(--faint)}
figure{margin:1rem 0}
figcaption{min-height:4.5em;font-size:.85rem;color:var(--faint)}
.chart{display:block;width:100%;height:auto;touch-action:pan-y}
.chart .at{stroke:var(--faint);stroke-dasharray:3 3}
.legend{display:flex;flex-wrap:wrap;gap:.35rem}
.legend button{font:inherit;font-size:.85rem;color:inherit;background:none;border:1px solid var(--line);border-radius:1rem;padding:.15rem .6rem;cursor:pointer}
.legend button[aria-pressed=true]{border-color:var(--ink)}
.legend svg{width:22px;height:8px;margin-right:.35rem}
.picked .curve{opacity:.15}
.picked .curve.on{opacity:1}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;position:sticky;left:0;background:var(--paper)}
th{color:var(--faint);font-weight:500}
.error{text-align:left;color:var(--c3);white-space:normal}
@media (max-width:40rem){.chart text{font-size:19px}.chart .title{font-size:20px}.curve path{stroke-width:2.6}.legend .curve path{stroke-width:1.8}}
`

const pageScript = `document.querySelectorAll("figure").forEach((figure,n)=>{
  const svg=figure.querySelector("svg"),caption=figure.querySelector("figcaption"),data=charts[n];
  const line=document.createElementNS(svg.namespaceURI,"path");
  line.setAttribute("class","at");
  svg.append(line);
  svg.addEventListener("pointermove",event=>{
    const box=svg.getBoundingClientRect(),x=(event.clientX-box.left)/box.width*svg.viewBox.baseVal.width;
    let i=0;
    data.x.forEach((at,j)=>{if(Math.abs(at-x)<Math.abs(data.x[i]-x))i=j});
    line.setAttribute("d","M"+data.x[i]+" 30V372");
    const found=data.policies.map((policy,j)=>[policy,data.misses[j][i]]).filter(pair=>pair[1]!==null).sort((a,b)=>a[1]-b[1]);
    caption.textContent=data.sizes[i]+": "+found.map(pair=>pair[0]+" "+pair[1].toFixed(4)).join(" · ");
  });
});
document.querySelectorAll(".legend button").forEach(button=>button.addEventListener("click",()=>{
  const on=button.getAttribute("aria-pressed")!=="true";
  button.setAttribute("aria-pressed",on);
  const picked=[...document.querySelectorAll(".legend button[aria-pressed=true]")].map(b=>b.dataset.policy);
  document.querySelectorAll("figure svg").forEach(svg=>{
    svg.classList.toggle("picked",picked.length>0);
    svg.querySelectorAll("g.curve").forEach(g=>g.classList.toggle("on",picked.includes(g.dataset.policy)));
  });
}));
`
