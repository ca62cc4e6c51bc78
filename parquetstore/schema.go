package parquetstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/schema"
	migrate "github.com/nexport-go/migrate"
)

// The columns of an archive.
const (
	colProject = iota
	colRun
	colPath
	colType
	colStep
	colTime
	colInt
	colFloat
	colString
	colBool
	colDatetime
	colSet
	colFile
	colHistType
	colHistEdges
	colHistValues
	numCols
)

// colNames are the columns' paths without what list types put in between.
var colNames = [numCols]string{
	"project_id", "run_id", "attribute_path", "attribute_type", "step", "timestamp",
	"int_value", "float_value", "string_value", "bool_value", "datetime_value",
	"string_set_value", "file_value.path", "histogram_value.type", "histogram_value.edges", "histogram_value.values",
}

// leaf describes where a column is in a file and how its values become words.
type leaf struct {
	index   int // among the file's leaves; -1 if the file lacks it
	typ     parquet.Type
	width   int // bytes of a plain value, 0 for strings and bools
	maxDef  int16
	maxRep  int16
	listDef int16 // definition level from which a list has an element

	convert func(word int64) (int64, bool)                      // nil: as it is
	text    func(word int64) string                             // of a word that convert refuses
	word    func(raw []byte) (word int64, text string, ok bool) // for bytes that are no plain int
}

// leaves finds the columns in a file's schema. Columns that it lacks are null in every row.
func leaves(s *schema.Schema) (found [numCols]leaf, err error) {
	for i := range found {
		found[i].index = -1
	}
	for i := range s.NumColumns() {
		c := s.Column(i)
		id := columnID(c.ColumnPath())
		if id < 0 || found[id].index >= 0 || allNull(c) {
			continue
		}
		if found[id], err = newLeaf(id, i, c); err != nil {
			return found, err
		}
	}
	for _, id := range []int{colRun, colPath, colType} {
		if found[id].index < 0 {
			return found, corrupt("there is no column %s, so this is not an archive of experiments", colNames[id])
		}
	}
	return found, nil
}

// allNull reports whether a column has the type that pandas and others give to one without any value.
func allNull(c *schema.Column) bool {
	_, null := c.LogicalType().(schema.NullLogicalType)
	return null
}

func columnID(path parquet.ColumnPath) int {
	name := path[0]
	if len(path) > 1 && name != "string_set_value" {
		name += "." + path[1]
	}
	for id, n := range colNames {
		if n == name {
			return id
		}
	}
	return -1
}

func newLeaf(id, index int, c *schema.Column) (leaf, error) {
	l := leaf{index: index, typ: c.PhysicalType(), maxDef: c.MaxDefinitionLevel(), maxRep: c.MaxRepetitionLevel()}
	switch l.typ {
	case parquet.Types.Int32, parquet.Types.Float:
		l.width = 4
	case parquet.Types.Int64, parquet.Types.Double:
		l.width = 8
	case parquet.Types.Int96:
		l.width = 12
	case parquet.Types.FixedLenByteArray:
		l.width = c.TypeLength()
	}
	lists := map[int]bool{colSet: true, colHistEdges: true, colHistValues: true}
	ok := l.setConversion(id, c) && (l.maxRep == 1) == lists[id] && l.maxRep <= 1
	if !ok {
		return l, unsupportedf("column %s has type %v (%v), which is not that of an archive; rewrite the file with the types of one", c.Path(), l.typ, c.LogicalType())
	}
	if l.maxRep == 1 {
		l.listDef = listLevel(c.SchemaNode())
	}
	return l, nil
}

// listLevel is the definition level at the repeated node above n, or n itself.
func listLevel(n schema.Node) (level int16) {
	for ; n != nil && n.RepetitionType() != parquet.Repetitions.Repeated; n = n.Parent() {
	}
	for ; n != nil && n.Parent() != nil; n = n.Parent() {
		if n.RepetitionType() != parquet.Repetitions.Required {
			level++
		}
	}
	return level
}

// setConversion reports whether the column's type can hold what the archive keeps there.
func (l *leaf) setConversion(id int, c *schema.Column) bool {
	switch id {
	case colStep:
		return l.setStep(c)
	case colTime, colDatetime:
		return l.setTime(c.LogicalType())
	case colInt:
		if l.typ == parquet.Types.Double {
			l.convert, l.text = intOfDouble, notWhole
			return true
		}
		return l.typ == parquet.Types.Int64 || l.typ == parquet.Types.Int32
	case colFloat, colHistEdges, colHistValues:
		if l.typ == parquet.Types.Float {
			l.convert = func(word int64) (int64, bool) {
				return int64(math.Float64bits(float64(math.Float32frombits(uint32(word))))), true
			}
		}
		return l.typ == parquet.Types.Double || l.typ == parquet.Types.Float
	case colBool:
		return l.typ == parquet.Types.Boolean
	default:
		return l.typ == parquet.Types.ByteArray
	}
}

func (l *leaf) setTime(logical schema.LogicalType) bool {
	if l.typ == parquet.Types.Int96 {
		l.word = int96Millis
		return true
	}
	per := int64(1)
	if ts, ok := logical.(interface{ TimeUnit() schema.TimeUnitType }); ok {
		switch ts.TimeUnit() {
		case schema.TimeUnitMicros:
			per = 1000
		case schema.TimeUnitNanos:
			per = 1_000_000
		}
	}
	if per > 1 {
		l.convert = func(word int64) (int64, bool) { return floorDiv(word, per), true }
	}
	return l.typ == parquet.Types.Int64
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// int96Millis converts the time type of older writers: nanoseconds of a day and the Julian day.
func int96Millis(raw []byte) (int64, string, bool) {
	const epoch = 2_440_588
	nanos := int64(binary.LittleEndian.Uint64(raw))
	days := int64(int32(binary.LittleEndian.Uint32(raw[8:]))) - epoch
	return days*86_400_000 + floorDiv(nanos, 1_000_000), "", true
}

func (l *leaf) setStep(c *schema.Column) bool {
	if l.typ == parquet.Types.Double {
		l.convert = stepOfDouble
		l.text = func(word int64) string { return fmt.Sprint(math.Float64frombits(uint64(word))) }
		return true
	}
	scale := int32(0)
	if d, ok := c.LogicalType().(interface{ Scale() int32 }); ok {
		scale = d.Scale()
	} else if l.typ != parquet.Types.Int64 && l.typ != parquet.Types.Int32 {
		return false
	}
	switch l.typ {
	case parquet.Types.FixedLenByteArray:
		l.word = func(raw []byte) (int64, string, bool) { return stepOfBytes(raw, scale) }
	case parquet.Types.ByteArray:
		l.word = func(raw []byte) (int64, string, bool) { return stepOfBytes(raw, scale) }
	case parquet.Types.Int64, parquet.Types.Int32:
		if scale != 6 {
			l.convert = func(word int64) (int64, bool) { return rescale(word, scale) }
		}
		l.text = func(word int64) string { return decimalText(big.NewInt(word), scale) }
	default:
		return false
	}
	return scale >= 0 && scale <= 38
}

// intOfDouble is for integers that went through pandas, which has doubles where one may be null. It
// refuses those that a double may have changed.
func intOfDouble(word int64) (int64, bool) {
	f := math.Float64frombits(uint64(word))
	if !(math.Abs(f) <= 1<<53) || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

func notWhole(word int64) string {
	return fmt.Sprintf("%v is not a whole number that a column of doubles holds exactly", math.Float64frombits(uint64(word)))
}

// stepOfDouble refuses what is not a number of millionths as near as a double can say it.
func stepOfDouble(word int64) (int64, bool) {
	f := math.Float64frombits(uint64(word))
	s, ok := migrate.StepOf(f)
	return int64(s), ok && float64(s)/float64(migrate.StepUnit) == f
}

// maxDecimal is the bytes of the widest decimal that other tools know.
const maxDecimal = 32

// stepOfBytes converts a big-endian decimal of any length.
func stepOfBytes(raw []byte, scale int32) (int64, string, bool) {
	if len(raw) > 8 {
		raw = withoutSign(raw)
	}
	if len(raw) > maxDecimal {
		return 0, fmt.Sprintf("of %d bytes", len(raw)), false
	}
	if len(raw) <= 8 && len(raw) > 0 {
		word := int64(int8(raw[0]))
		for _, b := range raw[1:] {
			word = word<<8 | int64(b)
		}
		if step, ok := rescale(word, scale); ok {
			return step, "", true
		}
	}
	n := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(raw))*8))
	}
	if n.IsInt64() {
		if step, ok := rescale(n.Int64(), scale); ok {
			return step, "", true
		}
	}
	return rescaleBig(n, scale)
}

// withoutSign cuts off leading bytes that only repeat the sign.
func withoutSign(raw []byte) []byte {
	for len(raw) > 1 && (raw[0] == 0 && raw[1] < 0x80 || raw[0] == 0xff && raw[1] >= 0x80) {
		raw = raw[1:]
	}
	return raw
}

// rescaleBig is for values that only fit once their scale is brought down to six.
func rescaleBig(n *big.Int, scale int32) (int64, string, bool) {
	if scale > 6 {
		div := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-6)), nil)
		if q, r := new(big.Int).QuoRem(n, div, new(big.Int)); r.Sign() == 0 && q.IsInt64() {
			return q.Int64(), "", true
		}
	}
	return 0, decimalText(n, scale), false
}

// rescale converts from the given scale to millionths, exactly or not at all.
func rescale(word int64, scale int32) (int64, bool) {
	for ; scale < 6; scale++ {
		if word > math.MaxInt64/10 || word < math.MinInt64/10 {
			return 0, false
		}
		word *= 10
	}
	for ; scale > 6; scale-- {
		if word%10 != 0 {
			return 0, false
		}
		word /= 10
	}
	return word, true
}

func decimalText(n *big.Int, scale int32) string {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, 0))), nil)
	return new(big.Rat).SetFrac(n, unit).FloatString(int(max(scale, 0)))
}
