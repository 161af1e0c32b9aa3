//! Every subcommand of the binary, one file each.
