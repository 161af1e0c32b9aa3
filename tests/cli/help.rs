//! What helps to call the binary: completions, manual pages, colours.

use crate::process::{mainstem, run};

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).well();
        assert!(script.contains("mainstem") && script.contains("bootstrap-server"), "{shell}: {script}");
    }
    assert!(run(&["completions", "bsh"]).failed(2).contains("'bash'"));
}

#[test]
fn bash_takes_the_completions() {
    let script = run(&["completions", "bash"]).well();
    let ask =
        "COMP_WORDS=(mainstem topic cr) COMP_CWORD=2; _mainstem mainstem cr topic; echo \"${COMPREPLY[@]}\"";
    let output =
        std::process::Command::new("bash").args(["-c", &format!("{script}\n{ask}")]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "create\n");
}

#[test]
fn manual_pages_are_those_of_the_commands() {
    let page = run(&["man"]).well();
    assert!(page.contains(".TH mainstem 1") && page.contains("mainstem verify"), "{page}");
    let (_, examples) = page.split_once(".SH EXAMPLES\n.nf\n").unwrap();
    assert!(examples.starts_with("\\&  mainstem demo   "), "{examples}");
    let page = run(&["man", "topic", "create"]).well();
    assert!(page.contains(".TH mainstem-topic-create 1") && page.contains("partitions"), "{page}");
    let err = run(&["man", "topics"]).failed(2);
    assert_eq!(err, "mainstem: there is no command topics\n  did you mean topic?\n");
    let err = run(&["man", "topic", "everything"]).failed(2);
    assert_eq!(err, "mainstem: there is no command topic everything\n  `mainstem --help` lists them\n");
}

#[test]
fn colours_are_for_terminals_alone() {
    for args in [&["--help"][..], &["consume"], &["consume", "logs", "-b", "127.0.0.1:1"], &["settings"]] {
        let said = run(args);
        assert!(!said.out.contains('\x1b') && !said.err.contains('\x1b'), "{args:?}");
    }
    let on_terminal = |name: &str, value: &str| {
        let help = format!("{} --help", mainstem(&[]).get_program().to_str().unwrap());
        let mut script = std::process::Command::new("script");
        script
            .args(["-qec", &help, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env(name, value);
        String::from_utf8(script.output().unwrap().stdout).unwrap()
    };
    assert!(on_terminal("PAGER", "cat").contains("\x1b[1m"));
    // What a pseudo-terminal adds of its own is no colour.
    assert!(!on_terminal("NO_COLOR", "1").contains("\x1b[1m"));
}
