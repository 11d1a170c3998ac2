# Reads [{ name, parts }] as JSON, writes { name: content in base64 }.  parts: arguments for
# MIME::Lite's new() of the whole and attach() of each part, with "parts" of its own for a multipart.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use MIME::Lite;

sub arguments {
	my ($spec) = @_;
	my %given = %{ $spec->{arguments} };
	utf8::encode($_) for values %given;
	$given{Data} = decode_base64($given{Data}) if defined $given{Data};
	return %given;
}

sub fill {
	my ($entity, $spec) = @_;
	for my $part (@{ $spec->{parts} || [] }) {
		my $child = MIME::Lite->new(Datestamp => 0, arguments($part));
		fill($child, $part);
		$entity->attach($child);
	}
}

my %out;
for my $order (@{ decode_json(join '', <STDIN>) }) {
	my %header = (
		From => 'Shop <shop@shop.example>',
		To => 'Ann <ann@reader.example>',
		Subject => $order->{name},
		Date => 'Mon, 23 Nov 2026 09:00:00 +0000',
		'Message-ID:' => "<$order->{name}\@corpus.example>",
		arguments($order));
	my $mail = MIME::Lite->new(map { $_ => $header{$_} } sort keys %header);
	$mail->replace('X-Mailer' => 'MIME::Lite');
	fill($mail, $order);
	$out{ $order->{name} } = encode_base64($mail->as_string, '');
}
print encode_json(\%out);
