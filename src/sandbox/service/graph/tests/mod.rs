//! Graph over HTTPS, as a client sees it.
