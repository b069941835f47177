package sim

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

// chart draws the curves of all policies over the size of the cache.
type chart struct {
	title  string
	sizes  []uint64
	bytes  bool // sizes are bytes
	curves []curve
	low    float64 // of the miss ratios, rounded to lines of the grid
	high   float64
	step   float64 // from one line of the grid to the next
}

// curve is the miss ratio of one policy at each size of the chart; not a number where there is none.
type curve struct {
	policy string
	misses []float64
}

// Places in the picture, in its own unit.
const (
	chartWidth, chartHeight = 720, 422
	left, right             = 58, 704
	top, bottom             = 30, 372
	legendColumns           = 5
	legendLine              = 20
)

// newChart returns the chart of one metric of the results.
func (r *Report) newChart(title string, metric func(*Result) float64) *chart {
	c := &chart{title: title, sizes: r.CacheSizes(), bytes: r.SizeMode == "byte", low: 1}
	for _, p := range r.Results {
		if len(c.curves) == 0 || c.curves[len(c.curves)-1].policy != p.Policy {
			c.curves = append(c.curves, curve{policy: p.Policy, misses: slices.Repeat([]float64{math.NaN()}, len(c.sizes))})
		}
		if p.Error == "" {
			v := metric(&p)
			c.low, c.high = min(c.low, v), max(c.high, v)
			c.curves[len(c.curves)-1].misses[slices.Index(c.sizes, p.CacheSize)] = v
		}
	}
	c.grid()
	return c
}

// grid chooses the lines of the grid: the fewest that are at least four steps.
func (c *chart) grid() {
	if c.low > c.high { // nothing succeeded
		c.low, c.high = 0, 1
	}
	if c.high-c.low < 0.004 {
		c.low, c.high = max(0, c.low-0.002), min(1, c.high+0.002)
	}
	for _, c.step = range []float64{0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001} {
		if (c.high-c.low)/c.step >= 4 {
			break
		}
	}
	c.low = math.Floor(c.low/c.step+1e-9) * c.step
	c.high = math.Ceil(c.high/c.step-1e-9) * c.step
}

// x is where a size is, on a logarithmic scale.
func (c *chart) x(size uint64) float64 {
	first, last := c.sizes[0], c.sizes[len(c.sizes)-1]
	if first == last {
		return (left + right) / 2
	}
	return left + (right-left)*math.Log(float64(size)/float64(first))/math.Log(float64(last)/float64(first))
}

func (c *chart) y(miss float64) float64 {
	return bottom - (bottom-top)*(miss-c.low)/(c.high-c.low)
}

// write draws the chart as an element <svg>, whose style is chartStyle. With a legend it stands for itself.
func (c *chart) write(b *strings.Builder, legend bool) {
	height := chartHeight
	if legend {
		height += legendLine * ((len(c.curves) + legendColumns - 1) / legendColumns)
	}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" class="chart">`+"\n",
		chartWidth, height, html.EscapeString(c.title))
	if legend {
		fmt.Fprintf(b, "<style>%s</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", chartStyle, chartWidth, height)
	}
	fmt.Fprintf(b, `<text class="title" x="%d" y="18">%s</text>`+"\n", left, html.EscapeString(c.title))
	c.writeGrid(b)
	for i := range c.curves {
		c.writeCurve(b, i)
	}
	if legend {
		c.writeLegend(b)
	}
	b.WriteString("</svg>\n")
}

func (c *chart) writeGrid(b *strings.Builder) {
	for i := range int(math.Round((c.high-c.low)/c.step)) + 1 {
		miss := c.low + float64(i)*c.step
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/><text class="tick" text-anchor="end" x="%d" y="%.1f">%.4g</text>`+"\n",
			left, c.y(miss), right, left-6, c.y(miss)+4, math.Round(miss*1e4)/1e4)
	}
	for _, size := range c.ticks() {
		text := countText(size)
		if c.bytes {
			text = bytesText(size)
		}
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %dV%d"/><text class="tick" text-anchor="middle" x="%.1f" y="%d">%s</text>`+"\n",
			c.x(size), top, bottom, c.x(size), bottom+18, text)
	}
	unit := "objects in the cache"
	if c.bytes {
		unit = "bytes in the cache"
	}
	fmt.Fprintf(b, `<text class="tick" text-anchor="middle" x="%d" y="%d">%s</text>`+"\n", (left+right)/2, bottom+40, unit)
}

// ticks are the sizes that the scale names: powers of ten or of 1024 in between, or if these are less than two, the ends.
func (c *chart) ticks() []uint64 {
	first, last := c.sizes[0], c.sizes[len(c.sizes)-1]
	base := 10.0
	if c.bytes {
		base = 4
	}
	var all []uint64
	for power := 1.0; power <= float64(last); power *= base {
		if power >= float64(first) {
			all = append(all, uint64(power))
		}
	}
	if len(all) < 2 {
		return slices.Compact([]uint64{first, last})
	}
	return all
}

func (c *chart) writeCurve(b *strings.Builder, i int) {
	var path, dots strings.Builder
	pen := "M"
	for at, miss := range c.curves[i].misses {
		if math.IsNaN(miss) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, c.x(c.sizes[at]), c.y(miss))
		pen = "L"
		if len(c.sizes) <= 10 {
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="2.5"/>`, c.x(c.sizes[at]), c.y(miss))
		}
	}
	name := html.EscapeString(c.curves[i].policy)
	fmt.Fprintf(b, `<g class="%s" data-policy="%s"><title>%s</title><path d="%s"/>%s</g>`+"\n", pens(i), name, name, &path, &dots)
}

func (c *chart) writeLegend(b *strings.Builder) {
	for i, curve := range c.curves {
		x := left + (i%legendColumns)*(right-left)/legendColumns
		y := chartHeight + 8 + i/legendColumns*legendLine
		fmt.Fprintf(b, `<g class="%s"><path d="M%d %dh22"/></g><text class="tick" x="%d" y="%d">%s</text>`+"\n",
			pens(i), x, y-4, x+27, y, html.EscapeString(shortened(curve.policy)))
	}
}

// pens are the classes of curve i: as many colours as are told apart, then dashes.
func pens(i int) string { return fmt.Sprintf("curve c%d d%d", i%10, i/10%4) }

// shortened is a name that fits into the legend.
func shortened(name string) string {
	if len(name) > 17 {
		return name[:16] + "…"
	}
	return name
}

// countText is a power of ten as people read it.
func countText(n uint64) string {
	switch {
	case n >= 1e9 && n%1e9 == 0:
		return fmt.Sprintf("%d G", n/1e9)
	case n >= 1e6 && n%1e6 == 0:
		return fmt.Sprintf("%d M", n/1e6)
	default:
		return grouped(n)
	}
}

// chartStyle has the colours for light and for dark screens.
const chartStyle = `
:root{--ink:#1d2530;--faint:#5b6675;--line:#dfe4ea;--paper:#fff;--c0:#2563b0;--c1:#d1540f;--c2:#2c8a3c;--c3:#c0282d;--c4:#7a4fb5;--c5:#8a5a44;--c6:#c8479b;--c7:#5f6b73;--c8:#8f8a10;--c9:#0e8c9c}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--faint:#a2adbb;--line:#2d3642;--paper:#12171e;--c0:#6aa5ee;--c1:#ff9a52;--c2:#63c46f;--c3:#f4777b;--c4:#b795ee;--c5:#c9997f;--c6:#f08cc9;--c7:#aab4bb;--c8:#d3ce4b;--c9:#4cc9d9}}
.paper{fill:var(--paper)}
.chart text{font-family:system-ui,sans-serif;fill:var(--ink);font-size:12px}
.chart .title{font-size:14px;font-weight:600}
.chart .tick{fill:var(--faint)}
.chart .grid{stroke:var(--line);fill:none}
.curve path{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
.curve circle{fill:var(--c)}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}
.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}.c8{--c:var(--c8)}.c9{--c:var(--c9)}
.d1 path{stroke-dasharray:7 3}.d2 path{stroke-dasharray:2 3}.d3 path{stroke-dasharray:9 3 2 3}
`

// charts are the pictures of the report: of requests, and where sizes differ, of bytes.
func (r *Report) charts() []*chart {
	all := []*chart{r.newChart("Miss ratio: "+r.Trace, func(p *Result) float64 { return p.MissRatio })}
	if r.hasSizes() {
		all = append(all, r.newChart("Byte miss ratio: "+r.Trace, func(p *Result) float64 { return p.ByteMissRatio }))
	}
	return all
}

// WriteSVG writes the curves of the miss ratio as a picture for light and dark screens.
func (r *Report) WriteSVG(w io.Writer) error {
	var b strings.Builder
	r.charts()[0].write(&b, true)
	_, err := io.WriteString(w, b.String())
	return err
}
