package convert_test

import (
	"fmt"

	"github.com/nexport-go/migrate"
	"github.com/nexport-go/migrate/convert"
)

func ExampleKeyRules_Key() {
	var rules convert.KeyRules
	fmt.Println(rules.Key("train/loss"))
	fmt.Println(rules.Key("train/acc[top 5]"))
	// Output:
	// train/loss false
	// train/acc_top 5__h5b638324c2ba4d5b true
}

func ExampleMultiplier_Step() {
	m, err := convert.ParseMultiplier("10")
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Step(migrate.Step(300_000))) // step 0.3
	fmt.Println(m.Step(migrate.Step(250_000))) // step 0.25
	// Output:
	// 3 true true
	// 2 false true
}

func ExampleAppendTextLine() {
	fmt.Printf("%q", convert.AppendTextLine(nil, 12*migrate.StepUnit, 1700000000123, "two\nlines"))
	// Output: "12\t2023-11-14T22:13:20.123Z\ttwo\\nlines\n"
}
