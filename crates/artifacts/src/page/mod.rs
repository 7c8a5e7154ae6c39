//! The stand-alone page: a network with its weights in one HTML file that needs nothing but itself. A person draws, or
//! shows it images, and sees what the network says.

mod data;
mod words;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glyphnet::model_file::ModelParts;

use self::data::PageData;
use crate::html::{Html, THEME_SCRIPT, THEME_STYLE, times, write_beginning, write_network_table};
use crate::numbers::grouped;

const STYLE: &str = include_str!("assets/page.css");
/// By their ids, since a worker of the page runs them too.
const PURE: [(&str, &str); 3] = [
    ("engine", include_str!("assets/engine.js")),
    ("preprocess", include_str!("assets/preprocess.js")),
    ("predictor", include_str!("assets/predictor.js")),
];
/// In the order in which they need each other.
const SCRIPTS: [&str; 6] = [
    THEME_SCRIPT,
    include_str!("assets/draw.js"),
    include_str!("assets/answer.js"),
    include_str!("assets/board.js"),
    include_str!("assets/images.js"),
    include_str!("assets/page.js"),
];
/// What the page may do beyond running its scripts: show the images it was given, and compute beside itself.
const POLICY: &str = "img-src data: blob:; worker-src blob:";

/// The most parameters of a page: a browser reads them from text, a third longer than the weights themselves.
const MOST_PARAMETERS: usize = 1 << 25;

/// A network that no page can be made of.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The page would be too long for a browser.
    #[error(
        "the model has {} parameters: a page holds at most {}; use `export --format onnx` instead",
        grouped(*parameters as u64),
        grouped(MOST_PARAMETERS as u64)
    )]
    TooLarge {
        /// Of all its networks.
        parameters: usize,
    },
    /// A browser has no such images.
    #[error("the network takes images of {channels} channels: a page shows images of 1 (grey) or 3 (RGB)")]
    Channels {
        /// That the network takes.
        channels: usize,
    },
    /// A name or setting cannot be written down.
    #[error("cannot write the page: {0}")]
    Json(#[from] serde_json::Error),
}

/// The page of a model: weights, preprocessing, an engine in plain JavaScript, and where the model says how its training
/// images were drawn a board to draw on. It fetches nothing. The same model gives the same bytes.
///
/// # Errors
/// [`PageError`], where the network is larger or takes other images than a browser can show.
pub fn to_html(parts: &ModelParts) -> Result<String, PageError> {
    let (input, parameters) = (parts.network().input(), parts.networks.parameters());
    if parameters > MOST_PARAMETERS {
        return Err(PageError::TooLarge { parameters });
    }
    if ![1, 3].contains(&input.channels) {
        return Err(PageError::Channels { channels: input.channels });
    }
    let mut html = Html::default();
    let scripts: Vec<&str> = PURE.into_iter().map(|(_, script)| script).chain(SCRIPTS).collect();
    write_beginning(&mut html, &scripts, POLICY);
    html.put("<title>{} \u{b7} glyphnet</title>\n<style>\n", &[&words::title(parts)]);
    html.raw(THEME_STYLE);
    html.raw(STYLE);
    html.raw("</style>\n</head>\n<body>\n");
    write_head(&mut html, parts);
    html.raw("<main class=\"wrap\">\n");
    write_desk(&mut html, parts);
    write_about(&mut html, parts);
    html.raw("</main>\n");
    html.data("model", &PageData::new(parts))?;
    html.put("<script type=\"application/octet-stream\" id=\"weights\">{}</script>\n", &[&weights(parts)]);
    for (id, script) in PURE {
        html.put("<script id=\"{}\">", &[&id]);
        html.raw(script);
        html.raw("</script>\n");
    }
    SCRIPTS.iter().for_each(|script| html.script(script));
    html.raw("</body>\n</html>\n");
    Ok(html.into_text())
}

/// Whether the page has a board to draw on; else it is for images alone.
pub fn can_draw(parts: &ModelParts) -> bool {
    parts.preprocess.drawn.is_some()
}

/// All values, network by network, of each the trained ones first, as 32-bit floats with the lowest byte first, in base64.
fn weights(parts: &ModelParts) -> String {
    let values = parts.networks.iter().flat_map(|network| network.weights().iter().chain(network.state()));
    STANDARD.encode(values.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn write_head(html: &mut Html, parts: &ModelParts) {
    html.raw("<header class=\"top wrap\">\n<div class=\"brow\"><p class=\"kind\">glyphnet</p>");
    html.raw("<button type=\"button\" id=\"theme\" class=\"script\">Dark</button></div>\n");
    html.put("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", &[&words::title(parts), &words::lead(parts)]);
    html.raw("<noscript><p class=\"lead\">The network runs in JavaScript, which is turned off here.</p></noscript>\n");
    html.raw("</header>\n");
}

/// Where one draws or shows images, and what the network says.
fn write_desk(html: &mut Html, parts: &ModelParts) {
    let input = parts.network().input();
    html.put(
        "<div class=\"desk script\" style=\"--ratio:{}/{}\">\n<section class=\"stage\" aria-labelledby=\"stage-name\">",
        &[&input.width, &input.height],
    );
    html.raw(if can_draw(parts) { BOARD } else { DROP });
    html.raw(ANSWER);
    html.raw("</div>\n");
}

const BOARD: &str = "<h2 id=\"stage-name\" class=\"hidden\">Drawing</h2>
<div class=\"surface\"><canvas id=\"board\" tabindex=\"0\" role=\"img\" aria-label=\"Board to draw on, empty\" aria-describedby=\"keys\">\
</canvas><p class=\"hint\" id=\"hint\">Draw here</p></div>
<p id=\"keys\" class=\"hidden\">With the keyboard: arrow keys move the pen, with Shift in small steps, the space bar puts it down and lifts it.</p>
<div class=\"tools\"><button type=\"button\" id=\"undo\" disabled>Undo</button><button type=\"button\" id=\"clear\" disabled>Clear</button>
<label class=\"pen\">Pen <input type=\"range\" id=\"pen\" min=\"2\" max=\"16\" step=\"1\" value=\"7\"></label></div>
<p class=\"quiet other\">Or drop, paste or <button type=\"button\" id=\"choose\" class=\"link\">choose images</button>.</p>
<input type=\"file\" id=\"files\" accept=\"image/*\" multiple hidden aria-label=\"Images\">
<p id=\"trouble\" role=\"alert\"></p>
</section>
";

const DROP: &str = "<h2 id=\"stage-name\" class=\"hidden\">Image</h2>
<div class=\"surface\" id=\"drop\"><canvas id=\"picture\" role=\"img\" aria-label=\"No image yet\" hidden></canvas>
<p class=\"hint\" id=\"hint\">Drop or paste images</p></div>
<div class=\"tools\"><button type=\"button\" id=\"choose\" class=\"main\">Choose images</button></div>
<input type=\"file\" id=\"files\" accept=\"image/*\" multiple hidden aria-label=\"Images\">
<p id=\"trouble\" role=\"alert\"></p>
</section>
";

const ANSWER: &str = "<section class=\"answer\" aria-labelledby=\"answer-name\">
<h2 id=\"answer-name\" class=\"hidden\">What the network says</h2>
<div class=\"verdict\"><div class=\"best\"><p id=\"best\">\u{2013}</p><p id=\"sure\" class=\"quiet\">\u{a0}</p></div>
<figure class=\"seen\"><canvas id=\"seen\" role=\"img\" aria-label=\"The pixels that the network sees\"></canvas>\
<figcaption class=\"quiet\">What the network sees</figcaption></figure></div>
<ol id=\"bars\" aria-label=\"Classes with their probabilities\"></ol>
<details id=\"more\" hidden><summary></summary><ol id=\"all\" aria-label=\"All classes with their probabilities\"></ol></details>
<p id=\"said\" role=\"status\" class=\"hidden\"></p>
</section>
<section class=\"images\" id=\"images\" aria-labelledby=\"images-name\" hidden><h2 id=\"images-name\">Images</h2><ul id=\"cards\"></ul></section>
";

/// What one may want to know of the network.
fn write_about(html: &mut Html, parts: &ModelParts) {
    html.raw("<section class=\"about\"><h2>The network</h2>\n<div class=\"beside\"><dl class=\"facts\">");
    html.put("<div><dt>input</dt><dd>{}</dd></div>\n", &[&times(&parts.network().input())]);
    for (name, value) in words::facts(parts) {
        html.put("<div><dt>{}</dt><dd>{}</dd></div>\n", &[&name, &value]);
    }
    html.raw("</dl>\n<div>");
    write_network_table(html, parts.network());
    html.raw("</div></div>\n</section>\n");
}

#[cfg(test)]
mod tests;
