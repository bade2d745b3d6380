package imaptest

import "net/mail"

// The people of the sample. Names in example domains cannot be anybody's (RFC 2606).
var (
	anna   = mail.Address{Name: "Anna Berger", Address: "anna.berger@example.org"}
	oma    = mail.Address{Name: "Großmutter Käthe", Address: "kaethe@example.com"}
	igor   = mail.Address{Name: "Игорь Петров", Address: "petrov@example.net"}
	yuki   = mail.Address{Name: "佐藤 雪", Address: "yuki.sato@example.com"}
	marie  = mail.Address{Name: "Marie Lefèvre", Address: "marie@example.net"}
	office = mail.Address{Name: "Accounts, Example Ltd.", Address: "accounts@example.com"}
	tomasz = mail.Address{Name: "Tomasz Żółkiewski", Address: "tomasz@example.org"}
)

// topics take turns.
var topics = []topic{
	{from: oma, to: anna, subject: "Pflaumenkuchen am Sonntag", file: "Rezept Pflaumenkuchen.pdf", text: []string{
		"Liebe Anna, am Sonntag backe ich wieder den Pflaumenkuchen, den ihr alle so gern esst. Kommt ihr um drei?",
		"Das Rezept habe ich dir angehängt, wie versprochen. Nimm die festen Zwetschgen vom Markt, nicht die weichen, und spare nicht an den Streuseln.",
		"Opa fragt, ob du die Säge mitbringen kannst."}},
	{from: office, to: anna, subject: "Your invoice 2023-1184", file: "invoice-2023-1184.pdf", text: []string{
		"Dear customer, please find attached the invoice for your order of 14 November. The amount is due within thirty days.",
		"If you have already paid, please disregard this message."}},
	{from: igor, to: anna, subject: "Отчёт о ходе работ: северный мост", file: "отчёт-март.pdf", text: []string{
		"Добрый день! Высылаю отчёт за март. Опоры с третьей по седьмую готовы, бетон набрал прочность, и на следующей неделе начинаем монтаж пролётов.",
		"Прошу посмотреть раздел о сроках: из-за паводка мы потеряли четыре дня, но надеемся наверстать их в апреле."}},
	{from: yuki, to: anna, subject: "京都の桜と旅の予定について", file: "旅程表.pdf", text: []string{
		"アンナさん、こんにちは。 京都の桜は四月の初めが見頃だそうです。 宿は哲学の道の近くに取りました。",
		"旅程表を添付しますので、 ご都合を教えてください。 楽しみにしています。"}},
	{from: anna, to: tomasz, subject: "Notes from the retrospective", file: "notes.pdf", text: []string{
		"Hi Tomasz, here is what we agreed on: the release moves to the second week of May, we keep the two reviewers, and the flaky test is yours.",
		"The full notes are attached. Shout if I got something wrong."}},
	{from: marie, to: anna, subject: "L'été à la mer : qui vient ?", file: "plan d'accès.pdf", text: []string{
		"Bonjour à toutes et à tous, la maison est réservée du 12 au 26 juillet. Il reste deux chambres côté jardin et le canapé, célèbre pour ses ressorts.",
		"Répondez avant la fin du mois, s'il vous plaît : le boulanger veut savoir combien de croissants il doit prévoir."}},
	{from: tomasz, to: anna, subject: "Zażółć gęślą jaźń – test czcionek", file: "próbka.pdf", text: []string{
		"Cześć, przesyłam próbkę nowej czcionki. Proszę, sprawdź, czy wszystkie znaki są na miejscu, zwłaszcza ogonki i kreski.",
		"Drukarnia czeka na odpowiedź do piątku."}},
	{from: office, to: anna, subject: "Maintenance on Saturday night", file: "schedule.pdf", text: []string{
		"Our systems will be unavailable on Saturday between 23:00 and 03:00 UTC. Mail that arrives in the meantime is kept and delivered afterwards.",
		"You need not do anything. We apologise for the inconvenience."}},
	{from: anna, to: oma, subject: "Fotos aus dem Urlaub in Österreich", file: "Hallstätter See.pdf", text: []string{
		"Liebe Oma, wir sind gut zurück. Am Hallstätter See war es so schön, wie du es erzählt hast, nur voller. Die Kinder wollten gar nicht mehr aus dem Wasser.",
		"Ein paar Fotos schicke ich dir hier, die übrigen bringe ich am Sonntag mit. Grüß Opa, die Säge kommt auch."}},
}
