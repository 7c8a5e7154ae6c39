//! The datasets that can be fetched: where they are, what they must be, who made them and under which licence.

/// A dataset that can be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name it is fetched and opened by.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Who holds the rights, under which licence, and the attribution it asks for.
    pub licence: &'static str,
    /// Where the checksums were published.
    pub checksums: &'static str,
    /// Addresses of folders that hold the files, each ending in `/`, in the order they are tried.
    pub mirrors: &'static [&'static str],
    /// The files, gzipped IDX.
    pub files: &'static [RemoteFile],
    /// Names of the classes by label; empty where the labels are the names.
    pub classes: &'static [&'static str],
}

/// One published file.
#[derive(Clone, Copy, Debug)]
pub struct RemoteFile {
    /// Its name on every mirror and in the cache.
    pub name: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 digest, lower-case hexadecimal.
    pub sha256: &'static str,
    /// What it holds; a mirror may then have compressed the same content anew.
    pub content: Option<Content>,
}

/// The decompressed content of a file.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256 digest, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Every dataset that can be fetched.
pub const CATALOGUE: &[Entry] = &[MNIST, FASHION_MNIST, KMNIST];

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte.gz";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte.gz";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte.gz";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte.gz";

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> RemoteFile {
    RemoteFile { name, bytes, sha256, content: None }
}

const fn holding(file: RemoteFile, bytes: u64, sha256: &'static str) -> RemoteFile {
    RemoteFile { content: Some(Content { bytes, sha256 }), ..file }
}

const MNIST: Entry = Entry {
    name: "mnist",
    title: "MNIST: handwritten digits, 60,000 + 10,000 of 28 x 28",
    licence: "Yann LeCun and Corinna Cortes, CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/)",
    checksums: "files: TensorFlow Datasets, tensorflow_datasets/url_checksums/mnist.txt; contents: data/mnist/SHA256SUMS",
    mirrors: &[
        // The mirrors of TensorFlow Datasets and of torchvision.
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ],
    files: &[
        holding(
            file(TRAIN_IMAGES, 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            47_040_016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        holding(
            file(TRAIN_LABELS, 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            60_008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        holding(
            file(TEST_IMAGES, 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            7_840_016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        holding(
            file(TEST_LABELS, 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            10_008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ],
    classes: &[],
};

const FASHION_MNIST: Entry = Entry {
    name: "fashion-mnist",
    title: "Fashion-MNIST: articles of clothing, 60,000 + 10,000 of 28 x 28",
    licence: "Copyright 2017 Zalando SE, MIT licence (https://github.com/zalandoresearch/fashion-mnist)",
    checksums: "TensorFlow Datasets, tensorflow_datasets/url_checksums/fashion_mnist.txt",
    mirrors: &[
        // The authors' own, Keras's, and the authors' repository.
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ],
    files: &[
        file(TRAIN_IMAGES, 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        file(TRAIN_LABELS, 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        file(TEST_IMAGES, 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        file(TEST_LABELS, 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ],
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
};

const KMNIST: Entry = Entry {
    name: "kmnist",
    title: "Kuzushiji-MNIST: cursive hiragana, 60,000 + 10,000 of 28 x 28",
    licence: "\"KMNIST Dataset\" (created by CODH), adapted from \"Kuzushiji Dataset\" (created by NIJL and others), \
        doi:10.20676/00000341, CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)",
    checksums: "TensorFlow Datasets, tensorflow_datasets/url_checksums/kmnist.txt",
    mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
    files: &[
        file(TRAIN_IMAGES, 18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        file(TRAIN_LABELS, 29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        file(TEST_IMAGES, 3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        file(TEST_LABELS, 5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ],
    classes: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
};
