"""Pure decisions of the fold and the flush, and the Faust app that holds their state."""
