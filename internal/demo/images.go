package demo

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
)

func encode(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err := encoder.Encode(&b, img)
	return b.Bytes(), err
}

// The colours of the pictures.
var (
	paper = color.RGBA{250, 250, 248, 255}
	ink   = color.RGBA{44, 48, 58, 255}
	right = color.RGBA{46, 160, 90, 255}
	wrong = color.RGBA{214, 69, 65, 255}
)

// ramp are the colours of heat maps, from nothing to all.
var ramp = []color.RGBA{
	{13, 17, 48, 255}, {54, 42, 115, 255}, {132, 55, 130, 255}, {214, 84, 99, 255}, {248, 152, 72, 255}, {252, 240, 164, 255},
}

// heat gives the colour for v from 0 to 1.
func heat(v float64) color.RGBA {
	v = min(max(v, 0), 1) * float64(len(ramp)-1)
	i := min(int(v), len(ramp)-2)
	return mix(ramp[i], ramp[i+1], v-float64(i))
}

// mix goes from a to b as part goes from 0 to 1.
func mix(a, b color.RGBA, part float64) color.RGBA {
	of := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*part)) }
	return color.RGBA{of(a.R, b.R), of(a.G, b.G), of(a.B, b.B), 255}
}

// class is one of the shapes that the classifier tells apart.
type class struct {
	name  string
	alike int // the class it is most often taken for
	// distance is negative inside the shape, which lies between -1 and 1.
	distance func(x, y float64) float64
}

var classes = []class{
	{"circle", 1, func(x, y float64) float64 { return math.Hypot(x, y) - 0.62 }},
	{"ring", 0, func(x, y float64) float64 { return math.Abs(math.Hypot(x, y)-0.52) - 0.15 }},
	{"square", 3, func(x, y float64) float64 { return max(math.Abs(x), math.Abs(y)) - 0.54 }},
	{"diamond", 2, func(x, y float64) float64 { return (math.Abs(x) + math.Abs(y) - 0.74) * 0.7 }},
	{"triangle", 3, func(x, y float64) float64 { return max(math.Abs(x)*0.87-y*0.5, y) - 0.36 }},
	{"cross", 7, func(x, y float64) float64 {
		x, y = math.Abs(x), math.Abs(y)
		return min(max(x-0.2, y-0.66), max(y-0.2, x-0.66))
	}},
	{"bar", 9, func(x, y float64) float64 { return max(math.Abs(x)-0.72, math.Abs(y)-0.2) }},
	{"star", 5, func(x, y float64) float64 {
		return math.Hypot(x, y) - 0.5*(1+0.38*math.Cos(5*math.Atan2(x, -y)))
	}},
	{"moon", 1, func(x, y float64) float64 { return max(math.Hypot(x, y)-0.62, 0.5-math.Hypot(x-0.3, y)) }},
	{"wave", 6, func(x, y float64) float64 { return max(math.Abs(y-0.26*math.Sin(6*x))-0.15, math.Abs(x)-0.78) }},
}

func classNames() (names []string) {
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

// drawShape draws a class into a square of dst, turned by an angle, over a background that is there.
func drawShape(dst *image.RGBA, at image.Point, side int, c class, angle float64, fill color.RGBA) {
	sin, cos := math.Sincos(angle)
	half := float64(side) / 2
	for py := range side {
		for px := range side {
			x, y := (float64(px)+0.5-half)/half, (float64(py)+0.5-half)/half
			cover := 0.5 - c.distance(x*cos+y*sin, y*cos-x*sin)*half
			if cover > 0 {
				p := at.Add(image.Pt(px, py))
				dst.SetRGBA(p.X, p.Y, mix(dst.RGBAAt(p.X, p.Y), fill, min(cover, 1)))
			}
		}
	}
}

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

const (
	tileSide = 60
	tileGap  = 8
	iconSide = 20
)

// drawTiles draws images in rows: the frame says whether the guess is right, and what a wrong one
// takes the shape for is in its corner.
func drawTiles(columns int, guesses []guess, rng *rand.Rand) image.Image {
	const pitch = tileSide + tileGap
	rows := (len(guesses) + columns - 1) / columns
	img := image.NewRGBA(image.Rect(0, 0, columns*pitch+tileGap, rows*pitch+tileGap))
	fill(img, img.Rect, paper)
	for i, g := range guesses {
		at := image.Pt(tileGap+i%columns*pitch, tileGap+i/columns*pitch)
		frame, background := right, heat(0.05+0.5*rng.Float64())
		if g.predicted != g.label {
			frame = wrong
		}
		fill(img, image.Rectangle{at.Sub(image.Pt(3, 3)), at.Add(image.Pt(tileSide+3, tileSide+3))}, frame)
		fill(img, image.Rectangle{at, at.Add(image.Pt(tileSide, tileSide))}, background)
		drawShape(img, at.Add(image.Pt(6, 6)), tileSide-12, classes[g.label], 0.5*rng.NormFloat64(), heat(0.75+0.25*rng.Float64()))
		if g.predicted != g.label {
			corner := at.Add(image.Pt(tileSide-iconSide, tileSide-iconSide))
			fill(img, image.Rectangle{corner, corner.Add(image.Pt(iconSide, iconSide))}, wrong)
			drawShape(img, corner, iconSide, classes[g.predicted], 0, paper)
		}
	}
	return img
}

// drawMatrix draws counts with the classes beside and above them: rows are what an image shows,
// columns what it was taken for.
func drawMatrix(counts [][]int) image.Image {
	const cell, margin = 32, 40
	side := margin + cell*len(counts) + tileGap
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	fill(img, img.Rect, paper)
	for row := range counts {
		drawShape(img, image.Pt(tileGap, margin+row*cell+4), 24, classes[row], 0, ink)
		drawShape(img, image.Pt(margin+row*cell+4, tileGap), 24, classes[row], 0, ink)
		for column, n := range counts[row] {
			at := image.Pt(margin+column*cell, margin+row*cell)
			fill(img, image.Rectangle{at, at.Add(image.Pt(cell-1, cell-1))}, heat(math.Sqrt(float64(n)/100)))
			text := paper
			if n > 50 {
				text = ink
			}
			if n > 0 {
				drawNumber(img, at.Add(image.Pt(cell/2, cell/2)), n, text)
			}
		}
	}
	return img
}

// digits are 3 points wide and 5 high: from the highest bit on, row by row.
var digits = [10]uint16{
	0b111101101101111, 0b010110010010111, 0b111001111100111, 0b111001111001111, 0b101101111001001,
	0b111100111001111, 0b111100111101111, 0b111001001010010, 0b111101111101111, 0b111101111001111,
}

// drawNumber draws n, at least 0, around a centre.
func drawNumber(dst *image.RGBA, centre image.Point, n int, c color.RGBA) {
	const dot, width = 2, 8
	var figures []int
	for ; n > 0 || len(figures) == 0; n /= 10 {
		figures = append([]int{n % 10}, figures...)
	}
	at := centre.Sub(image.Pt(len(figures)*width/2-1, 5))
	for i, figure := range figures {
		for bit := range 15 {
			if digits[figure]>>(14-bit)&1 == 1 {
				p := at.Add(image.Pt(i*width+bit%3*dot, bit/3*dot))
				fill(dst, image.Rectangle{p, p.Add(image.Pt(dot, dot))}, c)
			}
		}
	}
}

// drawAttention draws what each of n tokens looks at: those before it. With part, from 0 to 1, the
// head learns to look at the neighbour, at the begin, and at the tokens that matter.
func drawAttention(n int, part float64, rng *rand.Rand) image.Image {
	const cell, margin = 7, 8
	side := 2*margin + n*cell
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	fill(img, img.Rect, ink)
	matter := make([]float64, n)
	for i := range matter {
		matter[i] = math.Pow(rng.Float64(), 6)
	}
	for row := range n {
		for column := range row + 1 {
			even := 1 / math.Sqrt(float64(row+1))
			sharp := 0.9*math.Exp(-float64(row-column)/2) + 0.75*matter[column]
			if column == 0 {
				sharp += 0.5
			}
			at := image.Pt(margin+column*cell, margin+row*cell)
			v := (even*(1-part) + sharp*part) * (0.85 + 0.3*rng.Float64())
			fill(img, image.Rectangle{at, at.Add(image.Pt(cell-1, cell-1))}, heat(v))
		}
	}
	return img
}
