//! Commands as a shell takes them.

/// `text` as a shell takes it for one word.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_split_or_read_is_quoted() {
        let words = ["runs/seed-1", "my run", "it's", "$HOME", "", "실행"];
        assert_eq!(words.map(quoted), ["runs/seed-1", "'my run'", r"'it'\''s'", "'$HOME'", "''", "실행"]);
    }
}
