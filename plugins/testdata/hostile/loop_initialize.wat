;; An endless loop before anything else.
;; refused "_initialize: start: fuel: it used up"
(func (export "_initialize") (loop (br 0)))
