//! HTML that nothing it shows can break.

use std::fmt::{self, Display, Write as _};

/// A page under construction. Markup stands in the source; everything else is escaped on its way in.
#[derive(Default)]
pub(crate) struct Html {
    text: String,
}

impl Html {
    /// Adds markup, with the next of `values` in the place of each `{}`. Where a value belongs into an attribute, that
    /// must be in double quotes.
    ///
    /// # Panics
    /// If there are not as many values as places: a bug of the caller.
    pub(crate) fn put(&mut self, markup: &'static str, values: &[&dyn Display]) {
        let mut pieces = markup.split("{}");
        assert_eq!(pieces.clone().count(), values.len() + 1, "values for {markup}");
        self.raw(pieces.next().unwrap_or_default());
        for (piece, value) in pieces.zip(values) {
            // Into memory: it cannot fail unless a Display does.
            let _ = write!(Escaping { text: &mut self.text }, "{value}");
            self.raw(piece);
        }
    }

    /// Adds markup as it is.
    pub(crate) fn raw(&mut self, markup: &'static str) {
        self.text.push_str(markup);
    }

    /// Adds a script element that holds `value` as JSON, for the page's script to read.
    pub(crate) fn data(&mut self, id: &'static str, value: &impl serde::Serialize) -> Result<(), serde_json::Error> {
        let json = serde_json::to_string(value)?;
        self.put(r#"<script type="application/json" id="{}">"#, &[&id]);
        // Outside of strings JSON has none of these, and in strings they may be written by their numbers.
        for c in json.chars() {
            match c {
                '<' => self.text.push_str("\\u003c"),
                '>' => self.text.push_str("\\u003e"),
                '&' => self.text.push_str("\\u0026"),
                c => self.text.push(c),
            }
        }
        self.raw("</script>\n");
        Ok(())
    }

    /// Adds a script element; the page's policy must name it.
    pub(crate) fn script(&mut self, script: &'static str) {
        self.raw("<script>");
        self.raw(script);
        self.raw("</script>\n");
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// A length or place in an SVG picture, written to a tenth.
#[derive(Clone, Copy)]
pub(crate) struct Px(pub(crate) f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        if tenths % 10.0 == 0.0 { write!(f, "{:.0}", tenths / 10.0) } else { write!(f, "{:.1}", tenths / 10.0) }
    }
}

/// Text on its way into HTML: what has a meaning there is written by name, and what may not be there is replaced.
struct Escaping<'a> {
    text: &'a mut String,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                '\n' | '\t' => self.text.push(c),
                c if c.is_control() => self.text.push(char::REPLACEMENT_CHARACTER),
                c => self.text.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_markup_is_not() {
        let mut html = Html::default();
        html.put(r#"<p title="{}">{}</p>"#, &[&"a\"'b", &"</p><script>alert(1)</script>&\u{0}\u{85}"]);
        let expected =
            "<p title=\"a&quot;&#39;b\">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\u{fffd}\u{fffd}</p>";
        assert_eq!(html.into_text(), expected);
    }

    #[test]
    fn data_cannot_end_its_script() {
        let mut html = Html::default();
        let hostile = ["</script><b>", "<!--<script", "&amp;"];
        html.data("x", &hostile).unwrap();
        let text = html.into_text();
        let json = text.strip_prefix(r#"<script type="application/json" id="x">"#).unwrap();
        let json = json.strip_suffix("</script>\n").unwrap();
        assert!(!json.contains(['<', '>', '&']), "{json}");
        assert_eq!(serde_json::from_str::<[String; 3]>(json).unwrap(), hostile);
    }

    #[test]
    #[should_panic(expected = "values for")]
    fn a_missing_value_is_a_bug() {
        Html::default().put("{} {}", &[&1]);
    }
}
