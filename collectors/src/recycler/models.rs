//! Models of the recycler.
