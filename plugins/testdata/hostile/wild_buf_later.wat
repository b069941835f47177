;; Gives a buffer beyond its memory once it is asked for a larger one.
;; before-long protocol "outside the memory"
(func (export "ec_buf") (param i32) (result i32)
	(select (i32.const 1024) (i32.const 65000) (i32.le_u (local.get 0) (i32.const 1024))))
