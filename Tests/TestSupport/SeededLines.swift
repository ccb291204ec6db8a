/// What seeded résumés are put together from.
package enum SeededLines {
    package static let people = [
        "Ana Ruiz", "Ben Okafor", "Chen Wei", "Dana Levi", "Élodie Martin", "فاطمة الزهراء", "Nguyễn An", "Olu Ade",
    ]
    package static let companies = [
        "Northwind", "Contoso", "Harbour Lights", "Blue Finch", "Tessera", "Mill & Sons", "Quartz", "Lindenbaum",
        "Arbor Health", "Fernway",
    ]
    package static let positions = [
        "Engineer", "Senior Engineer", "Team Lead", "Platform Engineer", "Operations Manager", "Analyst",
        "Product Manager",
    ]
    package static let skills = [
        "Swift", "PostgreSQL", "Kubernetes", "Kafka", "Python", "Terraform", "Linux", "Redis", "GraphQL", "Rust",
        "Prometheus", "Ansible", "TypeScript", "Figma",
    ]
    package static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    package static let summaries = [
        "Engineer who keeps services running for people who depend on them, with ten years in payments and health and a habit of writing down what others keep in their heads.",
        "Leads teams that ship every week, and stays close enough to the work to know why a release failed before anybody has to ask for the third time.",
        "Runs operations for shops of every size, from the first order to the last return, and measures what customers notice rather than what is easy to count.",
    ]
    package static let buzzSummaries = [
        "Results-driven engineer who keeps services running for people who depend on them in payments and in health.",
        "Engineer and team player who keeps services running for people who depend on them in payments and in health.",
        "A passionate self-starter who keeps services running for the many people who depend on them every day.",
    ]
    package static let notes = [
        "A small tool that reads the timetable of the local trains and tells by a message when the next one is late, used by about 40 neighbours since the spring of 2019 and kept alive on a computer the size of a card.",
        "A map of all drinking fountains of the city, drawn from the open data of the water works and corrected by 200 walkers, with a page for each fountain and a way to say that one is broken.",
    ]
    package static let sound = [
        "Reduced the time of a full build from 40 to 12 minutes for every team",
        "Migrated 14 services to a new database without an outage or a lost order",
        "Led a team of 5 engineers through two rewrites of the product search",
        "Automated the release of 23 services so that anybody on call could do it",
        "Built a dashboard that 300 shop managers open before their doors do",
        "Cut the cost of hosting by $1.2M a year by moving idle machines to spot prices",
        "Trained 45 colleagues in three offices to read query plans and fix their own",
        "Wrote the handbook for new engineers, which 80 people have worked through since",
        "Negotiated two contracts with carriers that lowered shipping costs by 18%",
        "Designed the tables behind 9 million bookings and their yearly archive",
        "Replaced a nightly batch of 6 hours with a stream that is minutes behind",
        "Mentored 4 junior engineers, all of whom now run services of their own",
        "Launched the loyalty card in 120 shops, on the day that marketing had promised",
        "Resolved 1,500 tickets in the first year with a satisfaction of 96%",
        "Streamlined the approval of invoices from 11 steps to 4 across all branches",
        "Grew the newsletter from 2,000 to 35,000 readers within eighteen months",
        "Hired 12 people for a new office and kept all but one of them for two years",
        "Organized a conference for 400 guests with a budget of €90,000",
        "Raised the share of orders that arrive on time from 88% to 97%",
        "Saved 30 hours of manual work a week by reading supplier invoices with a script",
        "Managed a budget of $3.5M and closed each of four years below it",
        "Tested 27 variants of the checkout and kept the two that sold more",
        "Shipped the first version of the app to 10,000 drivers in five weeks",
        "Consolidated 8 warehouses into 3 while deliveries went on as before",
        "Improved page load from 4.1 to 1.3 seconds on the phones that customers own",
        "Introduced code review to a group of 16 people who had worked alone before",
        "Simplified the price list from 340 rows to 25 that sales can explain",
        "Scaled the chat service to 60,000 users at once on the same hardware",
        "Secured the login of 2.4 million accounts with a second factor",
        "Delivered 19 of 20 milestones on the agreed day over a programme of two years",
        "Audited 70 suppliers in nine countries and ended the contracts of three",
        "Recovered 4 TB of scans from a failed array within a single weekend",
        "Planned the move of 250 desks over one weekend, with nobody idle on Monday",
        "Coached 6 team leads through their first year of yearly reviews",
        "Tuned the search index so that 95% of queries answer in 80 milliseconds",
        "Drafted a style guide that 11 product teams follow for every new screen",
        "Documented 52 interfaces of the old core system before its last expert left",
        "Established a rota of 8 engineers that halved the calls at night",
        "Opened 3 shops in new towns, each at a profit within its first year",
        "Verified the figures of 36 monthly closings without a late correction",
    ]
    /// Sound lines that look like one of the rules' findings at a glance.
    package static let nearMisses = [
        "Cut the time that invoices were open from 40 to 12 days on average",
        "Wrote a guide for 12 teams that is based on interviews with their users",
        "Ran Level I support for 300 users in four time zones with one colleague",
        "Moved 3 services from US regions to EU ones without a maintenance window",
        "Doubled the number of weekly releases without adding people to the team",
        "Quickly rebuilt the order service on 5 machines after a flood in the cellar",
        "Trained 2000 sales people to use the new price list in a single quarter",
        "Measured service level agreement (SLA) breaches and cut them from 14 to 2",
        "Set the course for 5 teams and kept it for two planning rounds",
        "Tracked 40 risks that had had no owner and closed all but three of them",
        "Explained to 9 boards why the project was late and what came next",
        "Reviewed I/O patterns of 60 queries and removed the slowest dozen",
        "Edited 24 issues of a trade journal whose readers are interested in rail",
        "Served as Phase II coordinator for 7 hospitals and their laboratories",
        "Planned two events, each for 500 guests, in cities that were new to us all".replacing(
            " us all",
            with: " everybody"
        ),
        "Taught 30 clerks who were used to paper how to file claims on a screen",
        "Kept 99.95% of requests below a second for the whole of last year",
    ]
    package static let weakOpeners = [
        "Responsible for", "Worked on", "Helped with", "Assisted with", "Involved in", "Participated in",
        "Duties included", "In charge of", "Exposure to", "responsible for",
    ]
    package static let tails = [
        "the nightly billing jobs of 14 regional offices and their yearly closing",
        "the checkout of a shop with 40,000 orders a day and three currencies",
        "reports for 25 managers on stock, returns and late deliveries",
        "the support of 300 users in two countries and four languages",
        "the planning of 12 trade fairs and the travel of 60 colleagues",
    ]
    package static let withoutVerb = [
        "Nightly billing jobs for 14 regional offices, with alerts and a monthly report",
        "Weekly numbers for 25 managers on stock, returns and late deliveries",
        "Customer onboarding for 60 new shops, from contract to first sale",
        "The first contact for 300 users in two countries and four languages",
        "Main author of 12 articles on the history of the local railway",
        "Team of 9 people across three offices and two time zones",
    ]
    package static let withoutQuantity = [
        "Migrated the order service to a new database without an outage",
        "Led the rewrite of the product search from the first sketch to the launch",
        "Built the archive for old bookings on S3 with a search in front",
        "Introduced code review in 2019 to a group that had worked alone before",
        "Wrote the tools in Python3 that editors use for their daily planning",
        "Negotiated contracts with carriers in spring 2021 that lowered shipping costs",
        "Launched the loyalty card in every shop of the chain before the summer sale",
        "Simplified the price list so that sales can explain it to customers",
    ]
    package static let passive = [
        "Owned 12 reports that were generated every night by forgotten scripts",
        "Reviewed 40 contracts which had been signed without a second reader",
        "Rebuilt the index of 3 million pages that was written by hand before",
        "Improved 5 services that are used by every branch of the company",
        "Supervised 8 sites where deliveries were often rejected at the gate",
        "Handled 200 claims a month that were quickly settled out of court",
    ]
    package static let present = [
        "Manage a team of 6 engineers who keep the payment service running",
        "Lead the planning of 12 trade fairs and the travel of 60 colleagues",
        "Maintains 30 servers in two data centres for the booking department",
        "Managing the stock of 9 warehouses with a script and a weekly count",
        "Writing 4 articles a month for the journal of the local chamber",
        "Develop and test the app that 10,000 drivers start their day with",
        "Coordinates 15 volunteers at two shelters on every second weekend",
    ]
    package static let firstPerson = [
        "I reduced the time of a full deployment from 50 to 15 minutes for every team",
        "Led my team of 7 people through the rewrite of the booking service",
        "We shipped the second version of the app to 12,000 drivers in six weeks",
        "Organized 3 fairs for our customers in Hamburg, Lyon and Turin",
        "Wrote 14 guides that helped me and others to answer tickets faster",
        "Built a script of 400 lines by myself that reads supplier invoices",
        "Closed 90 tickets a week, which I'm told was the record of the floor",
    ]
    package static let short = [
        "Led 3 teams", "Built 12 internal tools", "Wrote 40 pages of documentation", "Trained 9 new people",
    ]
    package static let long = [
        "Led a team of 5 engineers through two rewrites of the product search, from the first sketch on a napkin through long talks with every department that had ever asked for a change to the launch in the autumn, which went well in all regions",
        "Wrote the handbook for new engineers, which tells in 80 pages how the services came about, who knows what about them, where the old ones hide, which of them nobody should touch on a Monday, and whom to call when somebody did",
    ]
    package static let doubled = [
        "Reduced the the time of nightly imports from 50 to 15 minutes",
        "Automated the release of of 31 services for everybody on call",
        "Trained 45 colleagues to to read query plans and fix their own",
    ]
    package static let buzz = [
        "Built a cutting-edge dashboard that 310 shop managers open every day",
        "Trained 6 colleagues to think outside the box in weekly workshops of an hour",
        "Led 3 fast-paced projects with partners in Hamburg, Lyon and Turin",
        "Found synergies between 4 departments that shared a single printer",
    ]
    package static let sameVerb = [
        "Reduced the queue at the counter from 30 to 8 people at noon",
        "Reduced returns by 22% with photographs that show the true colour",
        "Reduced the number of suppliers from 90 to 35 within a year",
        "Reduced the paper that invoices take by 400 boxes a month",
    ]
    package static let acronyms = [
        ("MTTR", "Reduced the MTTR of 6 services from two hours to twenty minutes"),
        ("NPS", "Raised the NPS of the support desk by 14 points in a year"),
        ("ETL", "Rebuilt 9 ETL jobs that had failed every second night before"),
        ("QZV", "Negotiated the QZV terms with 5 carriers for the whole of Europe"),
        ("OKR", "Introduced OKR planning to 4 departments and kept it for two years"),
    ]
}
