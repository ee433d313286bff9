//! The text of a system error.

/// What the system says, without the ` (os error 2)` that the standard library adds.
pub fn io_error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_lose_their_numbers() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(io_error_text(&error), "No such file or directory");
    }
}
