;; Wants what a proxy of another kind would have given it.
;; refused "is of an unknown module"
(import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
