package meter_test

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/plugins/meter"
)

// endless is (module (func (export "spin") (loop (br 0)))).
const endless = "\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x07\x08\x01\x04spin\x00\x00" +
	"\x0a\x09\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b"

func ExampleRewrite() {
	metered, _, err := meter.Rewrite([]byte(endless), meter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	mod, err := r.Instantiate(ctx, metered)
	if err != nil {
		fmt.Println(err)
		return
	}
	budget := mod.ExportedGlobal(meter.BudgetGlobal).(api.MutableGlobal)
	budget.Set(1_000_000)
	if _, err = mod.ExportedFunction("spin").Call(ctx); err != nil && int64(budget.Get()) < 0 {
		fmt.Println("used up its budget")
	}
	// Output: used up its budget
}
