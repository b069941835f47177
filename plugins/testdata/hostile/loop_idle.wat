;; observe fuel "used up"
(func (export "ec_idle") (loop (br 0)))
